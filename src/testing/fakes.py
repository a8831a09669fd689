"""Fakes of the ports. They need nothing but msgspec."""

import asyncio
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from dstack_backend.adapters.asyncio_notifier import Notifier as FakeNotifier
from dstack_backend.adapters.memory_history import MemoryHistory as FakeHistoryStore
from dstack_backend.domain.backend_info import HealthResponse, NodeIdentity, encode_health
from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.durations import DurationPeriod, record_duration
from dstack_backend.domain.gpu import GpuInventory, GpuState
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, observe
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.domain.status import Change, assess
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fake_history import FakeHistory

__all__ = [
    "EPOCH",
    "ORIGIN",
    "FakeClock",
    "FakeGpuSource",
    "FakeHealth",
    "FakeHistory",
    "FakeHistoryStore",
    "FakeNotifier",
    "FakeWatcher",
    "RecordingObserver",
]

ORIGIN = 1000.0
"""First reading of a fake monotonic clock, in seconds. It is not 0, on which no code may rely."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""First reading of a fake wall clock."""

_ROUNDS = 40
"""Rounds of the event loop after which every task that can run has run."""


class FakeClock:
    """Virtual time: it passes only in `advance`."""

    def __init__(self) -> None:
        self._now = ORIGIN
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Return the seconds of virtual time."""
        return self._now

    def utc(self) -> datetime:
        """Return the virtual wall clock, which runs with the monotonic one."""
        return EPOCH + timedelta(seconds=self._now - ORIGIN)

    async def sleep(self, seconds: float) -> None:
        """Wait until so many seconds were advanced."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        insort(self._sleepers, (self._now + seconds, woken), key=lambda sleeper: sleeper[0])
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass. Sleepers wake in order, each at its own time."""
        target = self._now + seconds
        await _run_ready_tasks()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._now, woken = self._sleepers.pop(0)
            if not woken.done():  # a cancelled sleeper is still in the list
                woken.set_result(None)
                await _run_ready_tasks()
        self._now = target


async def _run_ready_tasks() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


class FakeGpuSource:
    """A source with scripted results.

    Attributes:
        calls: Number of calls that started.
        asked_at: When each call started, in seconds since `ORIGIN`; needs a clock.
        under_way: Number of calls that have not ended.
        most_at_once: Largest number of calls that were under way together.
        cancelled: Number of calls that were cancelled.
        latency: Seconds of the clock that a call takes.
    """

    def __init__(
        self,
        results: Sequence[CheckResult] | Callable[[], CheckResult] = (),
        *,
        clock: FakeClock | None = None,
        latency: float = 0.0,
    ) -> None:
        """Store the script: a function that is called each time, or one result for each call.

        The last result is repeated. By default there is one, an empty inventory.
        """
        self.calls = 0
        self.asked_at: list[float] = []
        self.under_way = 0
        self.most_at_once = 0
        self.cancelled = 0
        self.latency = latency
        self._clock = clock
        self._results = results if callable(results) else list(results) or [GpuInventory()]
        self._released = asyncio.Event()
        self._released.set()

    def hang(self) -> None:
        """Let all calls from now on wait until `release`."""
        self._released.clear()

    def release(self) -> None:
        """Let waiting calls return."""
        self._released.set()

    async def list_gpus(self) -> CheckResult:
        """Return the next result of the script."""
        self.calls += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        if self._clock:
            self.asked_at.append(self._clock.monotonic() - ORIGIN)
        try:
            if self._clock and self.latency:
                await self._clock.sleep(self.latency)
            await self._released.wait()
            if callable(self._results):
                return self._results()
            return self._results.pop(0) if len(self._results) > 1 else self._results[0]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1


class FakeWatcher:
    """A watcher that returns when a test calls `hint`.

    Attributes:
        listeners: Number of calls that wait for a hint.
    """

    def __init__(self) -> None:
        self.listeners = 0
        self._hint = asyncio.Event()

    def hint(self) -> None:
        """Let one call return: the one that waits, or else the next."""
        self._hint.set()

    async def wait_for_change(self) -> None:
        """Wait for the next hint."""
        self.listeners += 1
        try:
            await self._hint.wait()
            self._hint.clear()
        finally:
            self.listeners -= 1


class FakeHealth:
    """A node with the state that a test sets, by `know` or by the attributes.

    Attributes:
        health_response: What `response` returns.
        status_report: What `report` returns.
        gpu_state: What `gpus` returns.
        check_durations: What `durations` returns.
        ready: What `is_ready` returns.
    """

    def __init__(self, result: CheckResult | None = None) -> None:
        self.know(result)

    def know(self, result: CheckResult | None, identity: NodeIdentity | None = None) -> None:
        """Set the state after one check with this result; `None`: before the first check."""
        start = Timestamp(ORIGIN, EPOCH)
        state = MonitorState(since=start)
        self.check_durations: Mapping[int, DurationPeriod] = {}
        if result is not None:
            check = Check(result=result, started=ORIGIN, finished=start + 0.25)
            state = observe(state, check, CheckPolicy())
            self.check_durations = record_duration({}, check)
        status = assess(CheckFailure(Reason.STARTING) if result is None else result)
        self.health_response = encode_health(status, identity)
        self.status_report = report(state, ORIGIN + 1.0, CheckPolicy())
        self.ready = result is not None
        self.gpu_state = state.gpus

    def response(self) -> HealthResponse:
        """Return `health_response`."""
        return self.health_response

    def report(self) -> StatusReport:
        """Return `status_report`."""
        return self.status_report

    def gpus(self) -> GpuState | None:
        """Return `gpu_state`."""
        return self.gpu_state

    def durations(self) -> Mapping[int, DurationPeriod]:
        """Return `check_durations`."""
        return self.check_durations

    def is_ready(self) -> bool:
        """Return `ready`."""
        return self.ready


class RecordingObserver:
    """Stores what it is called with, in order.

    Attributes:
        checks: The finished checks.
        changes: The changes of the status.
        gpus: The states of the GPUs.
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.changes: list[Change] = []
        self.gpus: list[GpuState] = []

    def on_check(self, check: Check) -> None:
        """Store a check."""
        self.checks.append(check)

    def on_change(self, change: Change) -> None:
        """Store a change."""
        self.changes.append(change)

    def on_gpus(self, gpus: GpuState) -> None:
        """Store a state of the GPUs."""
        self.gpus.append(gpus)
