"""What `/events` answers."""

from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from dstack_backend.adapters.litestar_http.openapi import history as openapi
from dstack_backend.adapters.litestar_http.sse import Events
from dstack_backend.domain.ports import Health, UpdateNotifier

__all__ = ["ASKED_BY_HEAD", "events_handler"]

ASKED_BY_HEAD = "dstack_backend.asked_by_head"
"""A key of the scope: the client wants the head of the answer only."""

EVENT_STREAM = "text/event-stream"


def events_handler(health: Health, notifier: UpdateNotifier) -> HTTPRouteHandler:
    """Make the handler."""
    source = Events(health, notifier)

    @get("/events", responses=openapi.EVENTS, tags=["service"], media_type=EVENT_STREAM)
    async def events(request: Request[Any, Any, Any]) -> Stream:
        """Server-sent events: how the node is, at once and whenever there is something new."""
        head_only = ASKED_BY_HEAD in request.scope
        return Stream(
            _nothing() if head_only else source.stream(),
            media_type=EVENT_STREAM,
            headers={"X-Accel-Buffering": "no"},  # nginx would keep events until it has 4 KB
        )

    return events


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""
