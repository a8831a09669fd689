"""Clients that send invalid requests, are slow or disconnect do not affect others."""

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Service

HOST = b"Host: me\r\n"

INVALID = {
    "garbage": b"\x00\xff\x13\x37" * 1000,
    "nothing": b"",
    "empty-lines": b"\r\n" * 1000,
    "tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 500,
    "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http-0.9": b"GET /health\r\n",
    "http-1.2": b"GET /health HTTP/1.2\r\n" + HOST + b"\r\n",
    "http-9.9": b"GET /health HTTP/9.9\r\n\r\n",
    "half-a-head": b"GET /health HTTP/1.1\r\nHost: m",
    "huge-header": b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 5_000_000 + b"\r\n\r\n",
    "many-headers": b"GET /health HTTP/1.1\r\n" + HOST + b"X: x\r\n" * 100_000 + b"\r\n",
    "huge-target": b"GET /" + b"a" * 5_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "no-host": b"GET /health HTTP/1.1\r\n\r\n",
    "two-lengths": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n" * 2 + b"\r\nx",
    "length-and-chunks": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative-length": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "huge-length": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\nx",
    "bad-chunks": b"POST /health HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "unknown-method": b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "odd-method": b"GE\x00T /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect": b"CONNECT 10.0.0.1:22 HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute-target": b"GET http://10.0.0.1/health HTTP/1.1\r\n" + HOST + b"\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "dots": b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "not-utf-8": b"GET /\xff\xfe?\xff=\xff HTTP/1.1\r\n" + HOST + b"X: \xff\r\n\r\n",
    "percent": b"GET /%ff%00%0d%0aX:y?%ff=%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "upgrade": b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "h2c": b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "expect": b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "odd-cookie": b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: a=\x01;;=;\xff\r\n\r\n",
    "odd-origin": b"GET /health HTTP/1.1\r\n" + HOST + b"Origin: \x00<script>\r\n\r\n",
    "odd-range": b"GET /health HTTP/1.1\r\n" + HOST + b"Range: bytes=-5-,9\r\n\r\n",
    "odd-accept": b"GET /health HTTP/1.1\r\n" + HOST + b"Accept: ,;q=x,*/\r\n\r\n",
}


@pytest.fixture(scope="module")
def service(serve_module: Callable[..., Service]) -> Iterator[Service]:
    """Run one service for all clients of this module."""
    with in_thread(SimulatedDStack()) as dstack:
        service = serve_module(DSTACK_URL=dstack.url)
        service.wait_for(None)
        yield service
        service.kill()


def _exchange(service: Service, data: bytes) -> bytes:
    """Send bytes and read for a moment. The server may close the connection."""
    answer = b""
    with service.connect() as client, contextlib.suppress(OSError):
        client.settimeout(0.3)
        client.sendall(data)
        while len(answer) < 100_000 and (part := client.recv(65536)):
            answer += part
    return answer


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_request_causes_no_server_error(service: Service, name: str) -> None:
    """No 5xx, no traceback, no error in the log, and the next client is served."""
    answer = _exchange(service, INVALID[name])
    assert not answer.startswith(b"HTTP/1.1 5"), answer[:200]
    assert b"Traceback" not in answer
    assert service.ask("/health").code == 200
    assert "Traceback" not in service.log
    assert " ERROR " not in service.log


def test_pipelined_requests_are_answered_in_order(service: Service) -> None:
    """Many requests in one packet get as many responses."""
    paths = ("/livez", "/health", "/nothing", "/readyz") * 5
    data = b"".join(f"GET {path} HTTP/1.1\r\nHost: me\r\n\r\n".encode() for path in paths)
    answers = _exchange(service, data).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"200", b"404", b"200"] * 5


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_methods_that_write_are_not_allowed(service: Service, method: str) -> None:
    """405, and `Allow` names GET."""
    answer = service.ask("/health", method)
    assert answer.code == 405
    assert "GET" in answer.headers["Allow"]


def test_idle_connections_do_not_block_others(service: Service) -> None:
    """Three hundred clients that send nothing or half a request."""
    with contextlib.ExitStack() as clients:
        for number in range(300):
            client = clients.enter_context(service.connect())
            if number % 2:
                client.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
        assert service.ask("/health").code == 200


def test_silent_clients_take_no_place(serve: Callable[..., Service]) -> None:
    """With room for 80 connections: the kernel keeps those of clients that send nothing."""
    python = ("prlimit", "--nofile=160:160", sys.executable)
    service = serve(python=python, DSTACK_URL="http://127.0.0.1:1")
    with contextlib.ExitStack() as clients:
        for _ in range(400):
            clients.enter_context(service.connect())
        started = time.monotonic()
        assert service.ask("/health").code == 503
        assert time.monotonic() - started < 5.0  # a client that takes a place keeps it for 12 s


def test_resets_in_the_middle_of_a_request_are_harmless(service: Service) -> None:
    """A hundred clients that send requests and reset the connection."""
    for _ in range(100):
        with service.connect() as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: me\r\n\r\n" * 3)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    assert service.ask("/health").code == 200
    assert "Traceback" not in service.log


def test_memory_stays_under_200_megabytes(service: Service) -> None:
    """Megabytes in a header or a target are not kept in memory."""
    for name in ("huge-header", "huge-target", "many-headers", "huge-length"):
        for _ in range(3):
            _exchange(service, INVALID[name])
    assert service.memory() < 200 * 1024 * 1024
