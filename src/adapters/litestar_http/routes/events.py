"""`GET /events`."""

from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from dstack_backend.adapters.litestar_http.openapi import history as openapi
from dstack_backend.adapters.litestar_http.sse import EventStreams
from dstack_backend.domain.ports import Health, UpdateNotifier

__all__ = ["IS_HEAD", "events_handler"]

IS_HEAD = "dstack_backend.is_head"
"""A key of the scope of a HEAD request, which is routed as GET."""

EVENT_STREAM = "text/event-stream"


def events_handler(health: Health, notifier: UpdateNotifier) -> HTTPRouteHandler:
    """Return the handler."""
    streams = EventStreams(health, notifier)

    @get("/events", responses=openapi.EVENTS, tags=["service"], media_type=EVENT_STREAM)
    async def events(request: Request[Any, Any, Any]) -> Stream:
        """Server-sent events: the status at once, and again with each update."""
        return Stream(
            _empty() if IS_HEAD in request.scope else streams.stream(),
            media_type=EVENT_STREAM,
            headers={"X-Accel-Buffering": "no"},  # nginx would buffer events up to 4 KB
        )

    return events


async def _empty() -> AsyncGenerator[bytes, None]:
    yield b""
