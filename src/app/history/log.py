"""The history in memory. Reads never touch the disk; a thread saves what is new.

All state belongs to the event loop. The thread only gets values: entries to save, or nothing, to
load what is saved. While it cannot save, be it that the disk is full, hangs or the file cannot be
opened, everything stays in memory and is tried again every 10 s.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from dstack_backend.app.history.retention import Retention
from dstack_backend.app.monitoring.clock import Clock, read
from dstack_backend.domain.check import Check
from dstack_backend.domain.history import (
    GapCause,
    HistoryConflict,
    HistoryEntry,
    HistoryError,
    StoredHistory,
    Uptime,
    clock_rollback_gap,
    entry_for,
    latest,
    merge_takeover,
    spans,
    suspension_gap,
    timeline,
    uptime_windows,
)
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.status import Change

__all__ = ["HEARTBEAT", "HistoryLog"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

HEARTBEAT = 10.0
"""Seconds between two signs of life: after a `kill -9` the gap is known to that precision."""

MAX_CLOCK_SKEW = timedelta(seconds=30)
"""Where the wall clock ran ahead of the monotonic one by more, the machine was suspended or the clock
was set. Where it fell behind by more, the clock was set back."""


class HistoryLog:
    """Observes the monitor, and implements `HistoryReader`."""

    def __init__(
        self, open_store: Callable[[], HistoryStore], keep: timedelta, clock: Clock
    ) -> None:
        """Start empty; nothing is opened yet.

        Args:
            open_store: Opens the store. While it raises `HistoryError`, each save tries again.
            keep: For how long entries are kept.
            clock: Time.
        """
        self._open_store = open_store
        self._retention = Retention(keep)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "history")
        self._store: HistoryStore | None = None
        self._entries: list[HistoryEntry] = []
        self._saved: HistoryEntry | None = None
        self._is_loaded = False
        self._current: HistoryEntry | None = None
        self._seen = read(clock)
        self._wake = asyncio.Event()
        self._trouble = ""

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Return entries, the last written first. See `domain.history.latest`."""
        return latest(self._entries, limit, since=since, until=until, before=before)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        entries, now = list(self._entries), self._clock.utc()
        since = now - timedelta(seconds=seconds)
        return await asyncio.to_thread(
            lambda: timeline(spans(entries, since, now, now), since, now, slots)
        )

    async def uptime(self) -> dict[str, Uptime]:
        """Return the uptime of each window of `domain.history.WINDOWS`."""
        entries, now = list(self._entries), self._clock.utc()
        return await asyncio.to_thread(uptime_windows, entries, now, now)

    def on_check(self, check: Check) -> None:
        """Do nothing: only changes are kept."""

    def on_change(self, change: Change) -> None:
        """Add an entry for the change, and wake the thread that saves it."""
        self._add_interruption()  # first: it belongs to the time before the change
        entry = entry_for(change)
        if entry:
            self._current = entry
            self._add([entry])
            self._wake.set()

    async def run(self) -> None:
        """Save until cancelled; then save what is left."""
        self._wake = asyncio.Event()  # each event loop needs its own
        try:
            while True:
                self._wake.clear()
                self._add_interruption()
                await self._save()
                await self._pause()
        finally:
            await self._save()
            await self._close()

    def _add(self, entries: Sequence[HistoryEntry]) -> None:
        last = self._entries[-1].number if self._entries else 0
        self._entries += [replace(each, number=last + n) for n, each in enumerate(entries, 1)]

    def _add_interruption(self) -> None:
        """Add entries where the clocks show that the process was suspended or the clock was set."""
        now, seen = read(self._clock), self._seen
        self._seen = now
        ahead = now.utc - (seen + (now.monotonic - seen.monotonic)).utc
        if ahead > MAX_CLOCK_SKEW:
            self._add(suspension_gap(self._current, seen.utc, now.utc))
        elif ahead < -MAX_CLOCK_SKEW:
            self._add(clock_rollback_gap(self._current, seen.utc, now.utc))

    async def _pause(self) -> None:
        beat = asyncio.ensure_future(self._clock.sleep(HEARTBEAT))
        change = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({beat, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            beat.cancel()
            change.cancel()

    async def _save(self) -> None:
        try:
            await self._save_new()
        except HistoryError as exc:
            self._report(str(exc))
        except Exception as exc:  # noqa: BLE001 - an unexpected error must not end all saving
            self._report(f"unexpected error, please report it: {type(exc).__name__}")
        else:
            self._report("")

    async def _save_new(self) -> None:
        if self._store is None:
            self._store = await self._in_thread(self._open_store)
        store = self._store
        if not self._is_loaded:
            self._merge(await self._in_thread(store.load), GapCause.STOPPED)
        try:
            await self._append(store)
        except HistoryConflict:
            self._merge(await self._in_thread(store.load), GapCause.REPLACED)
            await self._append(store)

    async def _append(self, store: HistoryStore) -> None:
        now = read(self._clock)
        del self._entries[: self._retention.expired(self._entries, now)]
        saved = self._saved
        new = [each for each in self._entries if saved is None or each.number > saved.number]
        oldest = self._entries[0].number if self._entries else 0
        await self._in_thread(lambda: store.append(new, now.utc, saved, oldest))
        self._saved = new[-1] if new else saved

    def _merge(self, stored: StoredHistory, cause: GapCause) -> None:
        """Continue what is stored by what is in memory. Numbers of what is stored stay the same."""
        now = read(self._clock)
        self._retention.start(stored.alive_at, now)
        self._is_loaded = True
        self._saved = stored.entries[-1] if stored.entries else None
        if stored.entries:
            merged = merge_takeover(stored, self._entries, now.utc, cause)
            self._entries = list(stored.entries)
            self._add(merged[len(stored.entries) :])

    def _report(self, trouble: str) -> None:
        """Log each trouble once, and its end."""
        if trouble and trouble != self._trouble:
            _log.warning("the history cannot be saved: %s. It is kept in memory meanwhile", trouble)
        elif self._trouble and not trouble:
            _log.info("the history is saved again")
        self._trouble = trouble

    async def _close(self) -> None:
        store, self._store = self._store, None
        self._is_loaded = False
        if store:
            await self._in_thread(store.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
