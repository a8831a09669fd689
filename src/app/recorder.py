"""Writes the past while it happens, and reads it for whoever asks.

The disk has a thread of its own: no check and no answer ever waits for it. What cannot be written
now (a full disk) is kept and tried again; only what comes after a great many such is lost.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from dstack_backend.app.clock import Clock
from dstack_backend.domain.change import Change
from dstack_backend.domain.check import Check
from dstack_backend.domain.history import (
    HistoryEntry,
    HistoryError,
    Uptime,
    entry_of,
    gap_entry,
    spans,
    timeline,
)
from dstack_backend.domain.ports import History

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

HEARTBEAT = 10.0
"""Seconds between two notes that we run: after a `kill -9` the gap is known that well."""

MOST_ENTRIES = 100_000
"""Of a DStack that flaps without end, so many changes are kept (about 15 MB)."""

MOST_PENDING = 10_000
"""Changes that wait for the disk."""

PRUNE_EVERY = timedelta(hours=1)


class Recorder:
    """Observes the monitor, and implements the port `Past`."""

    def __init__(
        self, open_history: Callable[[], History], clock: Clock, retention: timedelta
    ) -> None:
        """Keep what is needed; nothing is opened yet.

        Args:
            open_history: Opens where the entries go; called in the disk's thread.
            clock: Time.
            retention: How long they are kept.
        """
        self._open_history = open_history
        self._history: History | None = None
        self._owes_gap = True
        self._clock = clock
        self._retention = retention
        self._thread = ThreadPoolExecutor(1, "history")
        self._pending: deque[HistoryEntry] = deque(maxlen=MOST_PENDING)
        self._wake = asyncio.Event()
        self._pruned_at: datetime | None = None
        self._failing = False

    def checked(self, check: Check) -> None:
        """Take no note: only changes are kept."""

    def changed(self, change: Change) -> None:
        """Note a change, for the disk to be written soon."""
        entry = entry_of(change)
        if entry:
            self._pending.append(entry)
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; then write what is left."""
        try:
            while True:
                self._wake.clear()
                await self._flush()
                await self._pause()
        finally:
            await self._flush()
            self._thread.submit(lambda: self._store().close())
            self._thread.shutdown(wait=False)

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
        return await self._in_thread(
            lambda: self._store().latest(limit, since=since, until=until, before=before)
        )

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first.

        Raises:
            HistoryError: The past cannot be read now.
        """
        until = self._clock.utc()
        since = until - timedelta(seconds=seconds)
        pending = list(self._pending)

        def divide() -> list[Uptime]:
            entries = [*self._store().between(since, until), *pending]
            return timeline(spans(entries, since, until, until), since, until, slots)

        return await self._in_thread(divide)

    async def _pause(self) -> None:
        beat = asyncio.ensure_future(self._clock.sleep(HEARTBEAT))
        news = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({beat, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            beat.cancel()
            news.cancel()

    async def _flush(self) -> None:
        entries, now = list(self._pending), self._clock.utc()
        if await self._try(lambda: self._write(entries, now)):
            for entry in entries:
                if self._pending and self._pending[0] is entry:  # else it overflowed meanwhile
                    self._pending.popleft()

    def _write(self, entries: Sequence[HistoryEntry], now: datetime) -> None:
        store = self._store()
        gap = self._gap(store) if self._owes_gap else None
        store.append([gap, *entries] if gap else entries, now)
        self._owes_gap = False
        if self._pruned_at is None or now - self._pruned_at > PRUNE_EVERY:
            store.prune(now - self._retention, MOST_ENTRIES)
            self._pruned_at = now

    def _gap(self, store: History) -> HistoryEntry | None:
        last = store.latest(1)
        return gap_entry(last[0] if last else None, store.alive_at())

    def _store(self) -> History:
        if self._history is None:
            self._history = self._open_history()
        return self._history

    async def _try(self, work: Callable[[], None]) -> bool:
        try:
            await self._in_thread(work)
        except HistoryError as exc:
            if not self._failing:
                _log.warning("the history cannot be written: %s; it is kept and tried again", exc)
            self._failing = True
            return False
        if self._failing:
            _log.info("the history is written again")
        self._failing = False
        return True

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
