"""`GET /events`: a stream of server-sent events, one for each update.

The first event is sent at once with the present status, so `Last-Event-ID` is not needed: nothing
is sent again, and no status that holds is missed. Ids start at 0 with each start of the service.

A slow reader costs little: events are small, none are queued, and a stream ends after some minutes;
a browser reconnects by itself. Streams have at most half of the connections: the rest is for the
worker and the probes.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from litestar import Request, get
from litestar.exceptions import ServiceUnavailableException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from msgspec import UNSET

from dstack_backend.adapters.litestar_http.openapi import json_spec, text_spec
from dstack_backend.adapters.litestar_http.schemas import Event, Problem
from dstack_backend.domain.backend_info import HealthResponse
from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.ports import Health, UpdateNotifier

__all__ = ["IS_HEAD", "MAX_DURATION", "MAX_STREAMS", "EventStreams", "events_handler"]

IS_HEAD = "dstack_backend.is_head"
"""A key of the scope of a HEAD request, which is routed as GET."""

KEEP_ALIVE = 15.0
"""Seconds without an event after which a comment is sent, for proxies that close idle streams."""

MAX_DURATION = 15 * 60.0
"""Seconds after which a stream ends."""

RETRY = 2000
"""Milliseconds after which a browser reconnects."""

MAX_STREAMS = 1000

RETRY_AFTER = "30"
"""Seconds after which a client without a stream should ask again."""

EVENT_STREAM = "text/event-stream"

_SPEC = text_spec(
    EVENT_STREAM,
    "A stream of server-sent events. The first is sent at once with the present status, then one"
    " for each check and each change. `id` counts the updates; `data` is JSON with `status` and"
    " `reason`, and where the GPUs are known `degraded` and the number of GPUs that are `missing`."
    " A comment is sent after 15 s without an event. `Last-Event-ID` is not needed. The stream ends"
    " after 15 minutes.",
    "retry: 2000\nid: 7\n"
    'data: {"status":"available","reason":null,"degraded":true,"missing":1}\n\n',
)


_CLOSE = {"Connection": "close"}  # an idle connection would take a place for some seconds
_FULL = Problem(503, "too many streams are open")


def events_handler(
    health: Health, notifier: UpdateNotifier, max_streams: int = MAX_STREAMS
) -> HTTPRouteHandler:
    """Return the handler."""
    streams = EventStreams(health, notifier, max_streams)

    @get(
        "/events",
        responses={200: _SPEC, 503: json_spec(Problem, "Too many streams are open.", full=_FULL)},
        tags=["service"],
        media_type=EVENT_STREAM,
    )
    async def events(request: Request[Any, Any, Any]) -> Stream:
        """Server-sent events: the status at once, and again with each update."""
        if streams.is_full() and IS_HEAD not in request.scope:
            headers = {"Retry-After": RETRY_AFTER, **_CLOSE}
            raise ServiceUnavailableException(_FULL.detail, headers=headers)
        return Stream(
            () if IS_HEAD in request.scope else streams.stream(),
            media_type=EVENT_STREAM,
            headers={"X-Accel-Buffering": "no", **_CLOSE},  # nginx would buffer events up to 4 KB
        )

    return events


class EventStreams:
    """Creates the streams. Each event is encoded once for all clients."""

    def __init__(
        self,
        health: Health,
        notifier: UpdateNotifier,
        max_streams: int = MAX_STREAMS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create no stream yet. `clock` returns seconds; they limit the duration of a stream."""
        self._health = health
        self._notifier = notifier
        self._max_streams = max_streams
        self._clock = clock
        self._open = 0
        self._known: tuple[HealthResponse, GpuState | None] | None = None
        self._encoded = b""

    def is_full(self) -> bool:
        """Return whether as many streams are open as there may be."""
        return self._open >= self._max_streams

    async def stream(self, keep_alive: float = KEEP_ALIVE) -> AsyncGenerator[bytes, None]:
        """Yield one client's bytes: the present status, then an event for each update."""
        if self.is_full():  # since it was asked
            return
        self._open += 1
        try:
            async for each in self._events(keep_alive):
                yield each
        finally:
            self._open -= 1

    async def _events(self, keep_alive: float) -> AsyncGenerator[bytes, None]:
        ends_at = self._clock() + MAX_DURATION
        version = self._notifier.version
        yield b"retry: %d\n" % RETRY + self._event(version)
        while self._clock() < ends_at:
            try:
                async with asyncio.timeout(keep_alive):
                    latest = await self._notifier.wait_newer(version)
            except TimeoutError:
                yield b": keep-alive\n\n"
                continue
            if latest is None:
                return
            version = latest
            yield self._event(version)

    def _event(self, version: int) -> bytes:
        response, gpus = self._health.response(), self._health.gpus()
        known = self._known  # a report with thousands of GPUs is expensive
        if known is None or response is not known[0] or gpus is not known[1]:
            report = self._health.report()
            missing = len(gpus.missing) if gpus else UNSET
            event = Event(report.status, report.reason, report.degraded, missing)
            self._encoded = msgspec.json.encode(event)
            self._known = response, gpus
        return b"id: %d\ndata: %s\n\n" % (version, self._encoded)
