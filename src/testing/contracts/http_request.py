"""One HTTP request to a service under test, on a connection of its own."""

import io
import re
import socket
import ssl
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection, parse_headers
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

__all__ = ["Answer", "get", "head"]

TIMEOUT = 10.0
MAX_SIZE = 1024 * 1024
PORTS = {"http": 80, "https": 443}

_HEAD = re.compile(rb"HTTP/1\.\d (\d{3}).*\r\n((?:.+\r\n)*)\r\n")


class Answer(Struct, frozen=True):
    """An HTTP answer.

    Attributes:
        code: The HTTP status.
        headers: The headers.
        body: Everything after the headers.
        seconds: How long it took.
    """

    code: int
    headers: HTTPMessage
    body: bytes
    seconds: float


def get(url: str, tls: ssl.SSLContext | None = None, origin: str | None = None) -> Answer:
    """Send a GET request.

    Args:
        url: Starts with `http://` or `https://`.
        tls: Trusted certificates for `https://`; by default those of the system.
        origin: The `Origin` header.
    """
    started = time.monotonic()
    with _request("GET", url, tls, {"Origin": origin} if origin else {}) as connection:
        response = connection.getresponse()
        body = response.read()
    return Answer(response.status, response.headers, body, time.monotonic() - started)


def head(url: str, tls: ssl.SSLContext | None = None) -> Answer:
    """Send a HEAD request, and read on after the headers, which an HTTP client does not.

    Args:
        url: Starts with `http://` or `https://`.
        tls: Trusted certificates for `https://`; by default those of the system.
    """
    started = time.monotonic()
    with _request("HEAD", url, tls, {"Connection": "close"}) as connection:
        received = _read_until_close(connection.sock)
    found = _HEAD.match(received)
    assert found, f"HEAD {url}: the answer is not HTTP: {received[:200]!r}"
    headers = parse_headers(io.BytesIO(found[2] + b"\r\n"))
    seconds = time.monotonic() - started
    return Answer(int(found[1]), headers, received[found.end() :], seconds)


def _read_until_close(connection: socket.socket) -> bytes:
    received = b""
    with suppress(TimeoutError):  # the connection stays open
        while len(received) < MAX_SIZE and (chunk := connection.recv(65536)):
            received += chunk
    return received


@contextmanager
def _request(
    method: str, url: str, tls: ssl.SSLContext | None, headers: Mapping[str, str]
) -> Generator[HTTPConnection]:
    parts = _split(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if parts.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(host, port, timeout=TIMEOUT, context=tls)
    else:
        connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(method, target, headers=headers)
        yield connection
    except (OSError, HTTPException) as exc:
        raise AssertionError(f"{method} {url}: no answer: {exc!r}") from exc
    finally:
        connection.close()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:  # an invalid port or bracket
        is_valid = False
    assert is_valid, f"url() must return http://host/... or https://host/..., not {url!r}"
    return urlsplit(url)
