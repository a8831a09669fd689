"""`GET /events`: a server-sent event for each edition of the news.

The first event comes at once and says how things are, so whatever a client saw last (its
`Last-Event-ID`) does not matter: nothing is sent again, and nothing that holds is missed. Editions
begin anew with each start of the service.

A slow reader costs little: an event is small, nothing queues up for it here, and a stream ends
after some minutes; a browser then comes back by itself.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

import msgspec

from dstack_backend.adapters.litestar_http.schemas import Event
from dstack_backend.domain.backend_info import HealthResponse
from dstack_backend.domain.ports import Health, UpdateNotifier

__all__ = ["KEEP_ALIVE", "LONGEST_STREAM", "Events"]

KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent, for proxies that end what is silent."""

LONGEST_STREAM = 15 * 60.0
"""Seconds after which a stream ends."""

RETRY = 2000
"""Milliseconds after which a browser comes back."""


class Events:
    """Makes the streams. Each event is encoded once, for all listeners."""

    def __init__(
        self, health: Health, notifier: UpdateNotifier, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what is told.

        Args:
            health: What is known of the node.
            news: Says when there is something new.
            clock: Gives seconds, for the end of a stream.
        """
        self._health = health
        self._notifier = notifier
        self._clock = clock
        self._answer: HealthResponse | None = None
        self._encoded = b""

    async def stream(self, keep_alive: float = KEEP_ALIVE) -> AsyncGenerator[bytes, None]:
        """Give one listener's bytes: how things are, then each edition, until there are no more."""
        ends_at = self._clock() + LONGEST_STREAM
        seen = self._notifier.version
        yield b"retry: %d\n%s" % (RETRY, self._event(seen))
        while self._clock() < ends_at:
            try:
                version = await asyncio.wait_for(self._notifier.wait_newer(seen), keep_alive)
            except TimeoutError:
                yield b": keep-alive\n\n"
                continue
            if version is None:
                return
            seen = version
            yield self._event(seen)

    def _event(self, version: int) -> bytes:
        answer = self._health.response()
        if answer is not self._answer:  # a report of thousands of GPUs is no small thing
            report = self._health.report()
            self._encoded = msgspec.json.encode(Event(report.status, report.reason))
            self._answer = answer
        return b"id: %d\ndata: %s\n\n" % (version, self._encoded)
