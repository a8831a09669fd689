"""Reads of the entries in memory. None waits for a disk; long ones have a thread of their own."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from dstack_backend.app.history.entries import Entries
from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.domain.history import (
    DEFAULT_KINDS,
    EntryKind,
    HistoryEntry,
    Incident,
    Uptime,
    incidents,
    latest,
    record_start,
    spans,
    timeline,
    uptime_windows,
)

__all__ = ["EntriesReader", "run_in"]

T = TypeVar("T")


class EntriesReader:
    """The part of the port `HistoryReader` that is about entries."""

    def __init__(self, clock: Clock) -> None:
        """Start without entries."""
        self._entries = Entries()
        self._clock = clock
        # Not the event loop's own threads: name look-ups that hang may occupy all of them.
        self._reader_thread = ThreadPoolExecutor(1, "history-reader")

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        kinds: Collection[EntryKind] = DEFAULT_KINDS,
    ) -> list[HistoryEntry]:
        """Return entries, the last written first. See `domain.history.latest`."""
        entries = self._entries.newest_first()
        return latest(entries, limit, since=since, until=until, before=before, kinds=kinds)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        entries, now = self._entries.status.copy(), self._clock.utc()
        since = now - timedelta(seconds=seconds)
        return await run_in(
            self._reader_thread,
            lambda: timeline(spans(entries, since, now, now), since, now, slots),
        )

    async def uptime(self) -> dict[str, Uptime]:
        """Return the uptime of each window of `domain.history.WINDOWS`."""
        entries, now = self._entries.status.copy(), self._clock.utc()
        return await run_in(self._reader_thread, lambda: uptime_windows(entries, now, now))

    async def start(self) -> datetime | None:
        """Return from when on the status is recorded; `None` before the first entry."""
        entries = self._entries.status.copy()
        return await run_in(self._reader_thread, lambda: record_start(entries))

    async def incidents(self, limit: int, before: int | None = None) -> list[Incident]:
        """Return incidents, the one that began last first. See `domain.history.incidents`."""
        status, gpus = self._entries.status.copy(), self._entries.gpus.copy()
        return await run_in(self._reader_thread, lambda: incidents(status, gpus, limit, before))


async def run_in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Return the result of work that is done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)
