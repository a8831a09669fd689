"""A `HistoryLog` with a virtual clock, and a store that fails, hangs and is replaced on demand."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.history.gpu_record import GpuMemory
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.monitoring.clock import read
from dstack_backend.domain import Check, CheckFailure, GpuInventory, Reason, Status, assess
from dstack_backend.domain.history import (
    EntryGroup,
    GapCause,
    GpuUpdate,
    HistoryEntry,
    HistoryError,
    StoredHistory,
)
from dstack_backend.domain.status import Change
from dstack_backend.testing.fakes import FakeClock

__all__ = ["FaultyStore", "HistoryHarness", "SuspendableClock", "eventually", "play"]

_UP = assess(GpuInventory())
_DOWN = assess(CheckFailure(Reason.TIMED_OUT))
_STARTING = assess(CheckFailure(Reason.STARTING))


class FaultyStore(MemoryHistory):
    """A store in memory.

    Attributes:
        error: What each append raises.
        running: While it is cleared, each call hangs.
        appends: How many appends were tried.
        updates: What was saved of the GPUs, in order.
        limits: The oldest numbers that were passed, in order.
        closed: Whether it was closed.
    """

    def __init__(
        self, entries: Sequence[HistoryEntry] = (), alive_at: datetime | None = None
    ) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.running = threading.Event()
        self.running.set()
        self.appends = 0
        self.updates: list[GpuUpdate] = []
        self.limits: list[Mapping[EntryGroup, int]] = []
        self.closed = False
        self.replace(entries, alive_at)

    def replace(
        self, entries: Sequence[HistoryEntry] = (), alive_at: datetime | None = None
    ) -> None:
        """Replace the content, as a file that is removed or restored from a copy."""
        super().__init__()
        self._entries = list(entries)
        self._alive_at = alive_at

    def load(self) -> StoredHistory:
        """Load, unless it hangs."""
        assert self.running.wait(10)
        return super().load()

    def append(
        self,
        entries: Sequence[HistoryEntry],
        alive_at: datetime,
        after: HistoryEntry | None,
        *,
        oldest: Mapping[EntryGroup, int] | None = None,
        gpus: GpuUpdate | None = None,
    ) -> None:
        """Append, unless it hangs or fails."""
        self.appends += 1
        assert self.running.wait(10)
        if self.error:
            raise self.error
        super().append(entries, alive_at, after, oldest=oldest, gpus=gpus)
        self.updates += [gpus] if gpus else []
        self.limits += [oldest or {}]

    def close(self) -> None:
        """Note it."""
        self.closed = True


class SuspendableClock(FakeClock):
    """The clock of a machine that can be suspended.

    Attributes:
        waiting: How many calls wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self._suspended = timedelta()

    def utc(self) -> datetime:
        """Return the wall clock's time, which advances while the machine is suspended."""
        return super().utc() + self._suspended

    async def sleep(self, seconds: float) -> None:
        """Wait, and count it."""
        self.waiting += 1
        try:
            await super().sleep(seconds)
        finally:
            self.waiting -= 1

    def suspend(self, seconds: float) -> None:
        """Suspend the machine; a negative time sets the wall clock back."""
        self._suspended += timedelta(seconds=seconds)


class HistoryHarness:
    """A log and its store.

    Attributes:
        open_error: What opening the store raises.
        can_open: While it is cleared, opening the store hangs.
        opened: How many times opening it was tried.
        gpu_memory: What gets the GPUs that are stored.
    """

    def __init__(self, store: FaultyStore | None = None, keep: timedelta | None = None) -> None:
        self.clock = SuspendableClock()
        self.store = store or FaultyStore()
        self.open_error: HistoryError | None = None
        self.can_open = threading.Event()
        self.can_open.set()
        self.opened = 0
        self.gpu_memory: GpuMemory | None = None
        self.log = HistoryLog(self._open, keep or timedelta(days=400), self.clock)
        self._last = _STARTING

    def _open(self) -> FaultyStore:
        self.opened += 1
        assert self.can_open.wait(10)
        if self.open_error:
            raise self.open_error
        return self.store

    def change(self, *, up: bool) -> None:
        """Pass a change of the status to the log."""
        before, self._last = self._last, _UP if up else _DOWN
        self.log.on_change(Change(read(self.clock), before, self._last))

    async def save_change(self, *, up: bool) -> None:
        """Pass a change to the log, and wait until it was saved and the log is idle."""
        await eventually(lambda: self.clock.waiting)
        tried = self.store.appends
        self.change(up=up)
        await eventually(lambda: self.store.appends > tried and self.clock.waiting)

    def check(self) -> None:
        """Pass a finished check to the log."""
        now = read(self.clock)
        self.log.on_check(Check(result=GpuInventory(), started=now.monotonic, finished=now))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Run the log; at the end cancel it and wait until it has ended."""
        task = asyncio.create_task(self.log.run(self.gpu_memory))
        await self.clock.advance(0)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.done()

    async def beat(self, seconds: float = 10) -> None:
        """Advance the clock by a heartbeat, and wait until it was saved or failed."""
        await eventually(lambda: self.clock.waiting)
        tried = self.store.appends + self.opened
        await self.clock.advance(seconds)
        await eventually(lambda: self.store.appends + self.opened > tried and self.clock.waiting)

    @property
    def stored(self) -> list[Status | GapCause | None]:
        """The statuses and gaps in the store, in the order of writing."""
        return [entry.after or entry.gap for entry in MemoryHistory.load(self.store).entries]

    async def seen(self) -> list[Status | GapCause | None]:
        """Return the statuses and gaps that readers see, in the order of writing."""
        return [entry.after or entry.gap for entry in await self.log.latest(100_000)][::-1]


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario."""
    asyncio.run(scenario())


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for another thread to make a condition true."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        await asyncio.sleep(0.001)
