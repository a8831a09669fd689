"""`GET /health` without Litestar's routing: most requests are this one.

It takes less than half of the CPU time (docs/benchmarks.md). The response equals that of the
route, which remains for OpenAPI and for applications that mount the handlers.
"""

import re

from litestar.types import HTTPScope, Send

from dstack_backend.domain.ports import Health
from dstack_backend.domain.requests import HealthRequests

__all__ = ["count_request", "inspect_headers", "is_health_request", "send_bad_host"]
__all__ += ["send_health"]

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


def inspect_headers(scope: HTTPScope) -> tuple[bool, bool]:
    """Return whether a request has one valid `Host`, and whether a browser sent it.

    HTTP/1.1 requires the host (RFC 9112, 3.2).
    """
    hosts: list[bytes] = []
    is_browser = False
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value)
        elif name == b"user-agent":
            is_browser = value[:8] == b"Mozilla/"
    is_valid = len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None
    return is_valid or scope["http_version"] != "1.1", is_browser


def count_request(scope: HTTPScope, requests: HealthRequests, *, is_browser: bool) -> None:
    """Count a request of `/health` that may be the worker's: not HEAD, and not of a browser."""
    if scope["method"] == "GET" and not is_browser:
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
