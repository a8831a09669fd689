"""`GET /health` without Litestar's routing: most requests are this one.

It takes less than half of the CPU time (docs/benchmarks.md). The response equals that of the
route, which remains for OpenAPI and for applications that mount the handlers.
"""

import re

from litestar.types import HTTPScope, Send

from dstack_backend.domain.ports import Health
from dstack_backend.domain.requests import HealthRequests

__all__ = ["count_request", "has_valid_host", "is_health_request", "send_bad_host", "send_health"]

_METHODS = frozenset({"GET", "HEAD"})

# uri-host of RFC 3986, with an optional port. granian adds an empty header where there is none.
_HOST = re.compile(rb"(\[[\w.:~%-]+\]|[\w.~!$&'()*+,;=%-]+)(:[0-9]*)?", re.ASCII)
_BAD_HOST = b'{"status_code":400,"detail":"HTTP/1.1 requires one valid Host header"}'

_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
]


def is_health_request(scope: HTTPScope) -> bool:
    """Return whether a request is `GET /health` or `HEAD /health`."""
    return scope["path"] == "/health" and scope["method"] in _METHODS


def has_valid_host(scope: HTTPScope) -> bool:
    """Return whether a request has one valid `Host`, which HTTP/1.1 requires (RFC 9112, 3.2)."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    is_valid = len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None
    return is_valid or scope["http_version"] != "1.1"


def count_request(scope: HTTPScope, requests: HealthRequests) -> None:
    """Count a request of `/health` that may be the worker's: not HEAD, and not of a browser."""
    if scope["method"] != "GET":
        return
    for name, value in scope["headers"]:
        if name == b"user-agent" and value.startswith(b"Mozilla/"):
            return
    client = scope["client"]
    requests.add(client[0] if client else "")


async def send_health(health: Health, send: Send) -> None:
    """Send the encoded BackendInfo. For HEAD the server leaves the body out."""
    response = health.response()
    await _send(200 if response.is_available else 503, response.body, send)


async def send_bad_host(send: Send) -> None:
    """Send the error for a request without one valid `Host`."""
    await _send(400, _BAD_HOST, send)


async def _send(status: int, body: bytes, send: Send) -> None:
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
