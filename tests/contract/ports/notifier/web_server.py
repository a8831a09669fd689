"""An HTTP server that records messages. It answers as a test tells it to, and can be a proxy."""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

__all__ = ["Handler", "Reply", "Request", "WebServer", "accept", "answer", "endless", "garbage"]
__all__ += ["half", "hang", "large", "slow", "trickle", "web_server"]


class Request(Struct, frozen=True):
    """A request as it arrived."""

    host: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


class WebServer(Struct):
    """Where it listens, what it got, and how it answers."""

    port: int
    reply: "Reply"
    requests: list[Request]
    tunnels: list[str]
    is_ended: threading.Event


class Handler(BaseHTTPRequestHandler):
    """Records what arrives, and answers as the server is told to."""

    protocol_version = "HTTP/1.1"
    state: WebServer
    tls: ssl.SSLContext | None

    def do_POST(self) -> None:
        """Record the message, and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = dict(self.headers.items())
        self.state.requests.append(Request(headers["Host"], self.path, headers, body))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.state.reply(self)

    def do_CONNECT(self) -> None:
        """Answer in the place of the server that is asked for, with a certificate of our own."""
        self.state.tunnels.append(self.path)
        assert self.tls is not None
        self.send_response(200)
        self.end_headers()
        with (
            contextlib.suppress(OSError),
            self.tls.wrap_socket(self.connection, server_side=True) as tunnel,
            tunnel.makefile("rb") as self.rfile,
            tunnel.makefile("wb") as self.wfile,
        ):
            self.handle_one_request()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of http.server
        """Log nothing."""


Reply = Callable[[Handler], None]


def answer(code: int, body: bytes = b'{"code":1,"error":"no"}', **headers: str) -> Reply:
    """Send a whole response."""

    def reply(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


accept = answer(200, b'{"id":"x","event":"message"}')
large = answer(200, b" " * 5_000_000)


def slow(handler: Handler) -> None:
    """Accept after two seconds."""
    time.sleep(2)
    accept(handler)


def hang(handler: Handler) -> None:
    """Answer nothing."""
    handler.state.is_ended.wait(20)


def trickle(handler: Handler) -> None:
    """Send a byte of the header from time to time, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not handler.state.is_ended.wait(0.1):
        handler.wfile.write(b"x")


def half(handler: Handler) -> None:
    """Close the connection within the body."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def garbage(handler: Handler) -> None:
    """Send something else than HTTP."""
    handler.wfile.write(bytes(range(256)) * 8)


def endless(handler: Handler) -> None:
    """Accept with a body without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not handler.state.is_ended.is_set():
        handler.wfile.write(b" " * 1_000_000)


@contextlib.contextmanager
def web_server(
    reply: Reply = accept, *, tls: ssl.SSLContext | None = None, is_proxy: bool = False
) -> Generator[WebServer]:
    """Run one in threads: with TLS, or with TLS in its tunnels where it is a proxy."""
    state = WebServer(0, reply, [], [], threading.Event())
    handler = type("Handler", (Handler,), {"state": state, "tls": tls})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.port = server.server_address[1]
        if tls is not None and not is_proxy:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.is_ended.set()
            server.shutdown()
            thread.join()
