"""The stream of `GET /events`: one server-sent event for each update.

The first event is sent at once with the present status, so `Last-Event-ID` is not needed: nothing
is sent again, and no status that holds is missed. Ids start at 0 with each start of the service.

A slow reader costs little: events are small, none are queued, and a stream ends after some minutes;
a browser reconnects by itself.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

import msgspec

from dstack_backend.adapters.litestar_http.schemas import Event
from dstack_backend.domain.backend_info import HealthResponse
from dstack_backend.domain.ports import Health, UpdateNotifier

__all__ = ["KEEP_ALIVE", "MAX_DURATION", "EventStreams"]

KEEP_ALIVE = 15.0
"""Seconds without an event after which a comment is sent, for proxies that close idle streams."""

MAX_DURATION = 15 * 60.0
"""Seconds after which a stream ends."""

RETRY = 2000
"""Milliseconds after which a browser reconnects."""


class EventStreams:
    """Creates the streams. Each event is encoded once for all clients."""

    def __init__(
        self, health: Health, notifier: UpdateNotifier, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create no stream yet. `clock` returns seconds; they limit the duration of a stream."""
        self._health = health
        self._notifier = notifier
        self._clock = clock
        self._response: HealthResponse | None = None
        self._encoded = b""

    async def stream(self, keep_alive: float = KEEP_ALIVE) -> AsyncGenerator[bytes, None]:
        """Yield one client's bytes: the present status, then an event for each update."""
        ends_at = self._clock() + MAX_DURATION
        version = self._notifier.version
        yield b"retry: %d\n" % RETRY + self._event(version)
        while self._clock() < ends_at:
            try:
                latest = await asyncio.wait_for(self._notifier.wait_newer(version), keep_alive)
            except TimeoutError:
                yield b": keep-alive\n\n"
                continue
            if latest is None:
                return
            version = latest
            yield self._event(version)

    def _event(self, version: int) -> bytes:
        response = self._health.response()
        if response is not self._response:  # a report with thousands of GPUs is expensive
            report = self._health.report()
            self._encoded = msgspec.json.encode(Event(report.status, report.reason))
            self._response = response
        return b"id: %d\ndata: %s\n\n" % (version, self._encoded)
