"""One HTTP request to a service under test, on a connection of its own."""

import ssl
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

__all__ = ["Answer", "request"]

TIMEOUT = 10.0
MAX_SIZE = 1024 * 1024


class Answer(Struct, frozen=True):
    """An HTTP answer.

    Attributes:
        code: The HTTP status.
        headers: The headers.
        body: What follows the headers, also after HEAD, where it should be empty.
    """

    code: int
    headers: HTTPMessage
    body: bytes


def request(
    method: str, url: str, tls: ssl.SSLContext | None = None, origin: str | None = None
) -> Answer:
    """Send a GET or HEAD request.

    Args:
        method: `GET` or `HEAD`.
        url: Starts with `http://` or `https://`.
        tls: Trusted certificates for `https://`; by default those of the system.
        origin: The `Origin` header.
    """
    parts = _split(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Connection": "close"} | ({"Origin": origin} if origin else {})
    try:
        with closing(_connect(parts, tls)) as connection:
            connection.request(method, target, headers=headers)
            with connection.getresponse() as response:
                body = _read_after_head(response) if method == "HEAD" else response.read()
                return Answer(response.status, response.headers, body)
    except (OSError, HTTPException) as exc:
        raise AssertionError(f"{method} {url}: no answer: {exc!r}") from exc


def _split(url: str) -> SplitResult:
    with suppress(ValueError):  # an invalid port or bracket
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    raise AssertionError(f"url() must return http://host/... or https://host/..., not {url!r}")


def _connect(parts: SplitResult, tls: ssl.SSLContext | None) -> HTTPConnection:
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "https":
        return HTTPSConnection(host, timeout=TIMEOUT, context=tls)
    return HTTPConnection(host, timeout=TIMEOUT)


def _read_after_head(response: HTTPResponse) -> bytes:
    with suppress(TimeoutError):  # the connection stays open, without a body
        return response.fp.read1(MAX_SIZE)  # `read` never returns a body of HEAD
    return b""
