"""The worker's question, answered before Litestar's routing: most requests are this one.

It takes less than half of the processor time per request (docs/benchmarks.md). The answer is the
same as that of the handler, which stays for OpenAPI and for whoever mounts the handlers elsewhere.
"""

from litestar.types import HTTPScope, Send

from dstack_backend.domain.ports import Health

__all__ = ["answer_health", "asks_for_health"]

_METHODS = frozenset({"GET", "HEAD"})

_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
]


def asks_for_health(scope: HTTPScope) -> bool:
    """Say whether a request is the worker's."""
    return scope["path"] == "/health" and scope["method"] in _METHODS


async def answer_health(health: Health, send: Send) -> None:
    """Send what the worker reads. For HEAD the server leaves the body out."""
    answer = health.response()
    length = str(len(answer.body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200 if answer.is_available else 503,
            "headers": [*_HEADERS, (b"content-length", length)],
        }
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
