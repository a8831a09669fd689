"""A service with given answers of `/health`, over HTTP or HTTPS."""

import ssl
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

from msgspec import Struct

__all__ = ["HEADERS", "Reply", "answering"]

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": "*",
    }
)


class Reply(Struct, frozen=True):
    """One answer.

    Attributes:
        code: The HTTP status.
        body: The body; not sent for HEAD.
        headers: The headers without Content-Length.
        after_head: Bytes after the headers of HEAD, where none may be.
    """

    code: int
    body: bytes
    headers: Mapping[str, str] = HEADERS
    after_head: bytes = b""


class _Server(ThreadingHTTPServer):
    def __init__(self, reply: Callable[[str], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        reply = self._start()
        self.wfile.write(reply.body)

    def do_HEAD(self) -> None:
        reply = self._start()
        self.wfile.write(reply.after_head)

    def _start(self) -> Reply:
        assert isinstance(self.server, _Server)
        reply = self.server.reply(self.command)
        self.send_response(reply.code)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        return reply

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Write nothing."""


@contextmanager
def answering(
    reply: Reply | Callable[[str], Reply], tls: ssl.SSLContext | None = None
) -> Generator[str]:
    """Run the service and yield the address of its `/health`.

    Args:
        reply: The answer, or a function that returns it for a method.
        tls: Its TLS context; by default plain HTTP.
    """
    with _Server((lambda _: reply) if isinstance(reply, Reply) else reply) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/health"
        finally:
            server.shutdown()
            thread.join()
