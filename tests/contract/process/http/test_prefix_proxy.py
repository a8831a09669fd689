"""The service behind a reverse proxy that removes a path prefix, as nginx does.

`location /node1/ { proxy_pass http://127.0.0.1:8080/; }`
"""

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Answer, Service

PREFIX = "/node1"


class PrefixProxy(ThreadingHTTPServer):
    """A proxy on loopback. It answers 421 to a request outside its prefix."""

    daemon_threads = True

    def __init__(self, service: Service) -> None:
        """Bind a free port."""
        super().__init__(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service}))

    def ask(self, url: str, **headers: str) -> Answer:
        """Return the answer to a request; of a stream its head."""
        target = urlsplit(url)._replace(scheme="", netloc="", fragment="").geturl()
        connection = http.client.HTTPConnection("127.0.0.1", self.server_port, timeout=10)
        with closing(connection):
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            is_stream = response.headers["Content-Type"].startswith("text/event-stream")
            return Answer(response.status, response.headers, b"" if is_stream else response.read())


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        if not self.path.startswith(f"{PREFIX}/"):
            self.send_error(421)
            return
        connection = http.client.HTTPConnection(self.service.host, self.service.port, timeout=10)
        with closing(connection):
            path = self.path.removeprefix(PREFIX)
            connection.request("GET", path, headers=dict(self.headers.items()))
            response = connection.getresponse()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() != "transfer-encoding":
                    self.send_header(name, value)
            self.end_headers()
            try:
                while chunk := response.read1():
                    self.wfile.write(chunk)
            except OSError:
                return  # the client has read enough of a stream

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the name of the library
        """Log nothing."""


@pytest.fixture
def proxy(serve: Callable[..., Service], dstack: Remote) -> Iterator[PrefixProxy]:
    """A proxy before a service that knows its inventory and an outage."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2")
    service.wait_for(None)
    dstack.crash()
    service.wait_for("connection_refused")
    dstack.revive()
    service.wait_for(None)
    with PrefixProxy(service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_each_link_leads_to_the_service_behind_the_prefix(proxy: PrefixProxy) -> None:
    """Those of the service information, of the page and its assets, and of the OpenAPI document."""
    index = f"http://proxy.local{PREFIX}/"
    links = list(proxy.ask(index).json()["links"].values())
    page = proxy.ask(index, Accept="text/html").body.decode()
    links += re.findall(r'(?:href|src)="([^"]*)"', page)
    schema = urljoin(index, "schema/openapi.json")
    document = proxy.ask(schema).json()
    root = urljoin(schema, document["servers"][0]["url"]).removesuffix("/")
    links += [root + path for path in document["paths"]]
    assert len(links) > 25
    codes = {link: proxy.ask(urljoin(index, link)).code for link in links}
    assert set(codes.values()) == {200}, codes


def test_next_leads_through_the_whole_history(proxy: PrefixProxy) -> None:
    """One entry at a time: start, outage, return."""
    url = f"http://proxy.local{PREFIX}/history?limit=1"
    numbers: list[int] = []
    while True:
        answer = proxy.ask(url)
        assert answer.code == 200, url
        numbers += [entry["number"] for entry in answer.json()["entries"]]
        if answer.json()["next"] is None:
            break
        url = urljoin(url, answer.json()["next"])
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) >= 3
