"""A monitor among fakes, and a scene that is played while it runs."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import BackendInfo, CheckPolicy, CheckResult, NodeIdentity, Status
from dstack_backend.testing.fakes import (
    ORIGIN,
    FakeClock,
    FakeGpuSource,
    FakeWatcher,
    RecordingObserver,
)

__all__ = ["SimulatedNode", "play"]


class StallingClock(FakeClock):
    """The clock of a process that can stand still: time goes on, and nobody wakes meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._stalled = 0.0

    def stall(self, seconds: float) -> None:
        """Stand still."""
        self._stalled += seconds

    def monotonic(self) -> float:
        """Virtual time, with that in which we stood still."""
        return super().monotonic() + self._stalled

    def utc(self) -> datetime:
        """The same on the wall clock."""
        return super().utc() + timedelta(seconds=self._stalled)


class SimulatedNode:
    """A monitor among fakes."""

    def __init__(
        self,
        results: Sequence[CheckResult] | Callable[[], CheckResult],
        latency: float = 0.0,
        policy: CheckPolicy | None = None,
    ) -> None:
        self.clock = StallingClock()
        self.dstack = FakeGpuSource(results, clock=self.clock, latency=latency)
        self.observer = RecordingObserver()
        self.watcher = FakeWatcher()
        self.monitor = Monitor(
            self.dstack,
            self.clock,
            policy=policy or CheckPolicy(),
            identity=NodeIdentity(),
            observers=[self.observer],
            watcher=self.watcher,
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Let the loop run, and see that it leaves nothing behind."""
        loop = asyncio.create_task(self.monitor.run())
        await self.clock.advance(0)
        yield
        loop.cancel()
        await asyncio.wait({loop})
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    @property
    def told(self) -> str:
        """What `/health` says: the status, or the sentence."""
        answer = self.monitor.response()
        info = msgspec.json.decode(answer.body, type=BackendInfo)
        assert answer.is_available == (info.status is Status.AVAILABLE)
        assert self.monitor.report().status is info.status
        return info.status if answer.is_available else info.metadata

    @property
    def announced(self) -> list[tuple[float, str]]:
        """The changes: second, and the status or the reason from then on."""
        return [
            (change.at.monotonic - ORIGIN, change.after.reason or change.after.status)
            for change in self.observer.changes
        ]


def play(stage: SimulatedNode, scene: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a scene while the monitor runs."""

    async def act() -> None:
        async with stage.running():
            await scene()

    asyncio.run(act())
