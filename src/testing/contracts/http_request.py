"""One HTTP request to a service under test, on a connection of its own."""

import io
import re
import socket
import ssl
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPMessage,
    HTTPSConnection,
    parse_headers,
)
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

__all__ = ["Answer", "get", "head"]

TIMEOUT = 10.0
LARGEST_ANSWER = 1024 * 1024
PORTS = {"http": 80, "https": 443}

_HEAD = re.compile(rb"HTTP/1\.\d (\d{3}).*\r\n((?:.+\r\n)*)\r\n")


class Answer(Struct, frozen=True):
    """What came back.

    Attributes:
        code: The HTTP status.
        headers: The headers.
        body: All that follows the headers.
        seconds: How long it took.
    """

    code: int
    headers: HTTPMessage
    body: bytes
    seconds: float


def get(url: str, tls: ssl.SSLContext | None = None, origin: str | None = None) -> Answer:
    """Ask with GET.

    Args:
        url: Begins with `http://` or `https://`.
        tls: Whom to trust for `https://`; by default the system's certificates.
        origin: The web page for which a browser would ask.
    """
    started = time.monotonic()
    with _asked("GET", url, tls, {"Origin": origin} if origin else {}) as connection:
        response = connection.getresponse()
        body = response.read()
    return Answer(response.status, response.headers, body, time.monotonic() - started)


def head(url: str, tls: ssl.SSLContext | None = None) -> Answer:
    """Ask with HEAD, and read on after the headers, as no HTTP client does.

    Args:
        url: Begins with `http://` or `https://`.
        tls: Whom to trust for `https://`; by default the system's certificates.
    """
    started = time.monotonic()
    with _asked("HEAD", url, tls, {"Connection": "close"}) as connection:
        received = _read_until_close(connection.sock)
    found = _HEAD.match(received)
    assert found, f"HEAD {url}: the answer is not HTTP: {received[:200]!r}"
    headers = parse_headers(io.BytesIO(found[2] + b"\r\n"))
    seconds = time.monotonic() - started
    return Answer(int(found[1]), headers, received[found.end() :], seconds)


def _read_until_close(connection: socket.socket) -> bytes:
    received = b""
    with suppress(TimeoutError):  # one that stays open brings nothing more
        while len(received) < LARGEST_ANSWER and (chunk := connection.recv(65536)):
            received += chunk
    return received


@contextmanager
def _asked(
    method: str, url: str, tls: ssl.SSLContext | None, headers: Mapping[str, str]
) -> Generator[HTTPConnection]:
    parts = _parts_of(url)
    connection = _connection_to(parts, tls)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, headers=headers)
        yield connection
    except (OSError, HTTPException) as exc:
        raise AssertionError(f"{method} {url}: no answer: {exc!r}") from exc
    finally:
        connection.close()


def _connection_to(parts: SplitResult, tls: ssl.SSLContext | None) -> HTTPConnection:
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if parts.scheme == "https":
        return HTTPSConnection(host, port, timeout=TIMEOUT, context=tls)
    return HTTPConnection(host, port, timeout=TIMEOUT)


def _parts_of(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in PORTS and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, half a bracket
        is_good = False
    assert is_good, f"url() is to be http://host/... or https://host/..., and is {url!r}"
    return urlsplit(url)
