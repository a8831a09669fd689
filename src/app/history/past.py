"""Reads the past for whoever asks, while it goes on being written."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter
from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.domain.history.entry import HistoryEntry, HistoryError, Uptime, spans, timeline

__all__ = ["RecordedPast"]

T = TypeVar("T")

READ_TIMEOUT = 2.0
"""Seconds that an answer waits for the disk."""

MOST_READS = 64
"""Reads under way; they pile up while the disk hangs."""


class RecordedPast:
    """Implements the port `Past`: what is written, and then what still waits for the disk."""

    def __init__(
        self,
        writer: HistoryWriter,
        unwritten: Unwritten,
        clock: Clock,
        patience: float = READ_TIMEOUT,
    ) -> None:
        """Take what there is to read.

        Args:
            writer: Has opened the history, or will.
            unwritten: What waits for the disk.
            clock: Time.
            patience: Seconds that an answer waits for the disk.
        """
        self._patience = patience
        self._writer = writer
        self._unwritten = unwritten
        self._clock = clock
        self._threads = ThreadPoolExecutor(2, "history-reader")
        self._reads = 0

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first.

        Raises:
            HistoryError: The past cannot be read now.
        """
        pending, history = self._pending(self._clock.utc()), self._writer.history

        def find() -> list[HistoryEntry]:
            written = history.latest(len(pending) + 1) if history else []
            top = written[0].number if written else 0
            waiting = MemoryHistory(top)
            waiting.append(_missing(pending, written), self._clock.utc())
            found = waiting.latest(limit, since=since, until=until, before=before)
            if history:
                below = top + 1 if before is None else min(before, top + 1)
                found += history.latest(limit, since=since, until=until, before=below)
            return found[:limit]

        return await self._read(find)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first.

        Raises:
            HistoryError: The past cannot be read now.
        """
        until = self._clock.utc()
        since = until - timedelta(seconds=seconds)
        pending, history = self._pending(until), self._writer.history

        def divide() -> list[Uptime]:
            stored = history.between(since, until) if history else []
            parts = spans([*stored, *_missing(pending, stored)], since, until, until)
            return timeline(parts, since, until, slots)

        return await self._read(divide)

    def _pending(self, now: datetime) -> list[HistoryEntry]:
        return self._writer.led_in(self._unwritten.all(), now)

    async def _read(self, work: Callable[[], T]) -> T:
        if self._reads >= MOST_READS:
            raise HistoryError("the disk does not answer")
        self._reads += 1
        reading = asyncio.get_running_loop().run_in_executor(self._threads, work)
        reading.add_done_callback(self._end)
        await asyncio.wait({reading}, timeout=self._patience)
        if not reading.done():
            raise HistoryError("the disk does not answer")
        return reading.result()

    def _end(self, reading: asyncio.Future[T]) -> None:
        self._reads -= 1
        if not reading.cancelled():
            reading.exception()  # nobody may be waiting for it any more


def _missing(
    pending: Sequence[HistoryEntry], written: Sequence[HistoryEntry]
) -> list[HistoryEntry]:
    """Give what is really not written: the rest was, since somebody asked."""
    known = {replace(entry, number=0) for entry in written}
    return [entry for entry in pending if entry not in known]
