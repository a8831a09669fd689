"""`GET /health` without Litestar's routing: most requests are this one.

It takes less than half of the CPU time (docs/benchmarks.md). The response equals that of the
route, which remains for OpenAPI and for applications that mount the handlers.
"""

from litestar.types import HTTPScope, Send

from dstack_backend.domain.ports import Health

__all__ = ["is_health_request", "send_health"]

_METHODS = frozenset({"GET", "HEAD"})

_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
]


def is_health_request(scope: HTTPScope) -> bool:
    """Return whether a request is `GET /health` or `HEAD /health`."""
    return scope["path"] == "/health" and scope["method"] in _METHODS


async def send_health(health: Health, send: Send) -> None:
    """Send the encoded BackendInfo. For HEAD the server leaves the body out."""
    response = health.response()
    length = str(len(response.body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200 if response.is_available else 503,
            "headers": [*_HEADERS, (b"content-length", length)],
        }
    )
    await send({"type": "http.response.body", "body": response.body, "more_body": False})
