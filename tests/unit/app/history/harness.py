"""A recorder and a past among fakes: a store that fails, hangs and forgets when it is told to."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from dstack_backend.app.history.past import RecordedPast
from dstack_backend.app.history.recorder import Recorder
from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.monitoring.clock import read
from dstack_backend.domain import CheckFailure, GpuInventory, Reason, assess
from dstack_backend.domain.history import HistoryEntry, HistoryError
from dstack_backend.domain.status import Change
from dstack_backend.testing.fakes import FakeClock

__all__ = ["HistoryHarness", "SleepyClock", "Store", "until"]

_UP = assess(GpuInventory())
_DOWN = assess(CheckFailure(Reason.CONNECTION_REFUSED))
_STARTING = assess(CheckFailure(Reason.STARTING))


class Store(MemoryHistory):
    """A store with troubles.

    Attributes:
        trouble: What each write raises.
        free: Clear it, and each call hangs.
        writes: How many writes were tried.
        closed: Whether it was closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.writes = 0
        self.closed = False

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Write, or not."""
        self.writes += 1
        assert self.free.wait(10)
        if self.trouble:
            raise self.trouble
        super().append(entries, alive_at)

    def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Read."""
        assert self.free.wait(10)
        return super().latest(limit, since=since, until=until, before=before)

    def close(self) -> None:
        """Take note."""
        self.closed = True


class SleepyClock(FakeClock):
    """A clock of a machine that can be suspended.

    Attributes:
        waiting: How many wait for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self._slept = timedelta()

    def utc(self) -> datetime:
        """The wall clock, which goes on while the machine sleeps."""
        return super().utc() + self._slept

    async def sleep(self, seconds: float) -> None:
        """Count who waits."""
        self.waiting += 1
        try:
            await super().sleep(seconds)
        finally:
            self.waiting -= 1

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep."""
        self._slept += timedelta(seconds=seconds)


class HistoryHarness:
    """All that records and reads, and the store."""

    def __init__(self, store: Store | None = None, retention: timedelta | None = None) -> None:
        self.clock = SleepyClock()
        self.store = store or Store()
        self.cannot_open: HistoryError | None = None
        self.opened = 0
        self.unwritten = Unwritten()
        writer = HistoryWriter(self._open, self.unwritten, retention or timedelta(days=400))
        self.recorder = Recorder(writer, self.unwritten, self.clock)
        self.past = RecordedPast(writer, self.unwritten, self.clock, patience=0.05)
        self._last = _STARTING

    def _open(self) -> Store:
        self.opened += 1
        if self.cannot_open:
            raise self.cannot_open
        return self.store

    def turn(self, *, up: bool) -> None:
        """Let the status turn."""
        before, self._last = self._last, _UP if up else _DOWN
        self.recorder.on_change(Change(read(self.clock), before, self._last))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Let the recorder run; at the end it is cancelled, and ends."""
        task = asyncio.create_task(self.recorder.run())
        await self.clock.advance(0)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.done()

    async def beat(self) -> None:
        """Let ten seconds pass, and the write that comes with them."""
        await until(lambda: self.clock.waiting)
        writes = self.store.writes + self.opened
        await self.clock.advance(10)
        await until(lambda: self.store.writes + self.opened > writes and self.clock.waiting)

    def words(self) -> list[str | None]:
        """What is in the store, in the order of writing: statuses."""
        return [entry.after for entry in reversed(MemoryHistory.latest(self.store, 100_000))]


async def until(condition: Callable[[], object]) -> None:
    """Wait for a thread."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.001)
