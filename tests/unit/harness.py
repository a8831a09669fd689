"""A monitor among fakes, driven in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import (
    BackendInfo,
    CheckPolicy,
    CheckResult,
    GpuSource,
    NodeIdentity,
    Status,
)
from dstack_backend.testing.fakes import (
    ORIGIN,
    FakeClock,
    FakeGpuSource,
    FakeWatcher,
    RecordingObserver,
)

__all__ = ["MonitorHarness", "SuspendableClock", "announcements", "health_text"]


class SuspendableClock(FakeClock):
    """The clock of a process that can be suspended: time passes, and no task runs."""

    def __init__(self) -> None:
        super().__init__()
        self._suspended = 0.0

    def suspend(self, seconds: float) -> None:
        """Let time pass without waking a sleeper."""
        self._suspended += seconds

    def monotonic(self) -> float:
        """Virtual time, with the suspended time."""
        return super().monotonic() + self._suspended

    def utc(self) -> datetime:
        """The same on the wall clock."""
        return super().utc() + timedelta(seconds=self._suspended)


class MonitorHarness:
    """A monitor among fakes.

    Attributes:
        clock: Virtual time.
        source: The scripted source; unused where another one is given.
        observer: Records checks and changes.
        watcher: Gives hints.
        monitor: The monitor.
    """

    def __init__(
        self,
        results: Sequence[CheckResult] | Callable[[], CheckResult] = (),
        latency: float = 0.0,
        policy: CheckPolicy | None = None,
        source: GpuSource | None = None,
    ) -> None:
        self.clock = SuspendableClock()
        self.source = FakeGpuSource(results, clock=self.clock, latency=latency)
        self.observer = RecordingObserver()
        self.watcher = FakeWatcher()
        self.monitor = Monitor(
            source or self.source,
            self.clock,
            policy=policy or CheckPolicy(),
            identity=NodeIdentity(),
            observers=[self.observer],
            watcher=self.watcher,
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Run the monitor's loop, and assert that it leaves no task behind."""
        loop = asyncio.create_task(self.monitor.run())
        await self.clock.advance(0)
        yield
        loop.cancel()
        await asyncio.wait({loop})
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def play(self, scenario: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run a scenario while the monitor runs."""

        async def run() -> None:
            async with self.running():
                await scenario()

        asyncio.run(run())

    def run_for(self, seconds: float) -> None:
        """Let the monitor run for so many seconds."""
        self.play(lambda: self.clock.advance(seconds))

    @property
    def health(self) -> str:
        """What `/health` contains: `available`, or the message."""
        return health_text(self.monitor)

    @property
    def announced(self) -> list[tuple[float, str]]:
        """The changes: second, and the status or the reason from then on."""
        return announcements(self.observer)


def health_text(monitor: Monitor) -> str:
    """Return what `/health` contains: `available`, or the message."""
    response = monitor.response()
    info = msgspec.json.decode(response.body, type=BackendInfo)
    assert response.is_available == (info.status is Status.AVAILABLE)
    assert monitor.report().status is info.status
    return info.status if response.is_available else info.metadata


def announcements(observer: RecordingObserver) -> list[tuple[float, str]]:
    """Return the changes: second, and the status or the reason from then on."""
    return [
        (change.at.monotonic - ORIGIN, change.after.reason or change.after.status)
        for change in observer.changes
    ]
