"""Writes the past while it happens.

The disk has a thread of its own: no check and no answer ever waits for it. What cannot be written
now, be it that the disk is full or that the file cannot even be opened, is kept in memory and tried
again every 10 s.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter
from dstack_backend.app.monitoring.clock import Clock, read
from dstack_backend.domain.change import Change
from dstack_backend.domain.check import Check
from dstack_backend.domain.history.entry import HistoryEntry, HistoryError, entry_of
from dstack_backend.domain.history.gaps import clock_rollback_gap, suspension_gap

__all__ = ["HEARTBEAT", "Recorder"]

_log = logging.getLogger(__name__)

HEARTBEAT = 10.0
"""Seconds between two notes that we run: after a `kill -9` the gap is known that well."""

SUSPENDED = timedelta(seconds=30)
"""By more than that the wall clock ran ahead of the monotonic one: the machine slept, or the clock
was set. By more than that it fell behind: the clock was set back."""


class Recorder:
    """Observes the monitor, and has the writer write."""

    def __init__(self, writer: HistoryWriter, unwritten: Unwritten, clock: Clock) -> None:
        """Take who writes.

        Args:
            writer: Writes what waits; it is called in a thread.
            unwritten: Where the changes wait.
            clock: Time.
        """
        self._writer = writer
        self._unwritten = unwritten
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "history-writer")
        self._wake = asyncio.Event()
        self._seen = read(clock)
        self._holds: HistoryEntry | None = None
        self._trouble = ""

    def on_check(self, check: Check) -> None:
        """Take no note: only changes are kept."""

    def on_change(self, change: Change) -> None:
        """Note a change, for the disk to be written soon."""
        self._notice_absence()  # first: it is of the time before the change
        entry = entry_of(change)
        if entry:
            self._holds = entry
            self._unwritten.add(entry)
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; then write what is left."""
        self._wake = asyncio.Event()  # each loop needs its own
        try:
            while True:
                self._wake.clear()
                self._notice_absence()
                await self._flush()
                await self._pause()
        finally:
            await self._flush()
            await self._in_thread(self._writer.close)

    def _notice_absence(self) -> None:
        now, seen = read(self._clock), self._seen
        self._seen = now
        ahead = now.utc - (seen + (now.monotonic - seen.monotonic)).utc
        if ahead > SUSPENDED:
            self._unwritten.add(*suspension_gap(self._holds, seen.utc, now.utc))
        elif ahead < -SUSPENDED:
            self._unwritten.add(*clock_rollback_gap(self._holds, seen.utc, now.utc))

    async def _pause(self) -> None:
        beat = asyncio.ensure_future(self._clock.sleep(HEARTBEAT))
        news = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({beat, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            beat.cancel()
            news.cancel()

    async def _flush(self) -> None:
        now = read(self._clock)
        try:
            await self._in_thread(lambda: self._writer.write(now))
        except HistoryError as exc:
            self._report(str(exc))
        except Exception as exc:  # noqa: BLE001 - a fault of ours must not end all writing
            self._report(f"unexpected error, please report it: {type(exc).__name__}")
        else:
            self._report("")

    def _report(self, trouble: str) -> None:
        """Say each trouble once, and its end."""
        if trouble and trouble != self._trouble:
            _log.warning(
                "the history cannot be written: %s. Meanwhile it is kept in memory", trouble
            )
        elif self._trouble and not trouble:
            _log.info("the history is written again")
        self._trouble = trouble

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)
