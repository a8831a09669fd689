"""The supervisor: it restarts the loop of the monitor, and announces what no check reports."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.monitoring.supervisor import keep_running, supervise
from dstack_backend.domain import (
    Change,
    Check,
    CheckPolicy,
    CheckResult,
    GpuInventory,
    NodeIdentity,
)
from dstack_backend.testing.fakes import ORIGIN, FakeClock, FakeGpuSource, RecordingObserver
from tests.unit.harness import announcements

CANARY = "c4n4ry"


class SupervisedNode:
    """A supervised monitor among fakes."""

    def __init__(self, script: Callable[[], CheckResult] = GpuInventory) -> None:
        self.clock = FakeClock()
        self.source = FakeGpuSource(script, clock=self.clock)
        self.observer = RecordingObserver()
        self.monitor = self.monitor_with(self.observer)
        self.running_at: list[float] = []

    def monitor_with(self, *observers: RecordingObserver) -> Monitor:
        """Return a monitor with these observers."""
        return Monitor(
            self.source,
            self.clock,
            policy=CheckPolicy(),
            identity=NodeIdentity(),
            observers=observers,
        )

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator[None, None]:
        """Supervise, and assert that no task is left."""
        running = lambda: self.running_at.append(self.clock.monotonic() - ORIGIN)  # noqa: E731
        task = asyncio.create_task(supervise(self.monitor, self.clock, running))
        await self.clock.advance(0)
        yield
        assert not task.done(), "the supervisor ended"
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def play(self, *seconds: float) -> None:
        """Let so many seconds pass, step by step."""

        async def run() -> None:
            async with self.supervised():
                for each in seconds:
                    await self.clock.advance(each)

        asyncio.run(run())

    @property
    def announced(self) -> list[tuple[float, str]]:
        """The changes: second, and the status or the reason from then on."""
        return announcements(self.observer)


def ending_after(good: int) -> Callable[[], CheckResult]:
    """Return the script of a source that ends the loop after some good results.

    A source that raises an exception does not end it; one that is cancelled does.
    """
    remaining = [GpuInventory() for _ in range(good)]

    def script() -> CheckResult:
        if not remaining:
            raise asyncio.CancelledError(CANARY)
        return remaining.pop()

    return script


def test_supervision_does_not_change_the_schedule() -> None:
    """Checks start every interval."""
    node = SupervisedNode()
    node.play(35)
    assert node.source.asked_at == [0, 10, 20, 30]
    assert node.announced == [(0, "available")]


def test_loop_that_ends_is_started_again_after_a_second() -> None:
    """Each time; checks never overlap."""
    node = SupervisedNode(ending_after(0))
    node.play(3.5)
    assert node.source.asked_at == [0, 1, 2, 3]
    assert node.source.most_at_once == 1


def test_restarted_loop_keeps_its_schedule() -> None:
    """Afterwards checks start every interval again."""
    results: list[CheckResult | None] = [GpuInventory(), None]

    def script() -> CheckResult:
        result = results.pop(0) if results else GpuInventory()
        if result is None:
            raise asyncio.CancelledError(CANARY)
        return result

    node = SupervisedNode(script)
    node.play(35)
    assert node.source.asked_at == [0, 10, 11, 21, 31]
    assert node.announced == [(0, "available")]


def test_end_of_the_loop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each end."""
    caplog.set_level(logging.DEBUG)
    node = SupervisedNode(ending_after(0))
    node.play(0.5)
    (record,) = [each for each in caplog.records if each.name.startswith("dstack_backend")]
    assert record.getMessage() == "the checking loop ended; it starts again in 1 s"


def test_loop_that_raises_is_logged_with_the_exception(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the exception; the log formats show its type and place, not its text."""

    class BrokenMonitor(Monitor):
        async def run(self) -> None:
            await asyncio.sleep(0)
            raise RuntimeError(CANARY)

    node = SupervisedNode()
    node.monitor = BrokenMonitor(
        node.source, node.clock, policy=CheckPolicy(), identity=NodeIdentity()
    )
    node.play(0.5)
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[0] is RuntimeError


def test_status_goes_stale_while_the_loop_keeps_ending() -> None:
    """The supervisor announces it once."""
    node = SupervisedNode(ending_after(1))
    node.play(60)
    assert not node.monitor.response().is_available
    assert node.announced == [(0, "available"), (35, "stale")]


def test_stale_status_of_a_hanging_source_is_announced() -> None:
    """No check reports it. The change has the time at which it happened."""
    node = SupervisedNode()

    async def run() -> None:
        async with node.supervised():
            node.source.hang()
            await node.clock.advance(34.5)
            assert node.announced == [(0, "available")]
            await node.clock.advance(2)
            assert node.announced == [(0, "available"), (35, "stale")]
            await node.clock.advance(100)
            node.source.release()
            await node.clock.advance(0)
            assert node.announced == [(0, "available"), (35, "stale"), (136.5, "available")]

    asyncio.run(run())


def test_cancelled_supervisor_cancels_the_check() -> None:
    """The end of the service leaves no call open."""
    node = SupervisedNode()
    node.source.hang()
    node.play(1)
    assert (node.source.cancelled, node.source.under_way) == (1, 0)


def test_raising_observer_does_not_end_the_checks(caplog: pytest.LogCaptureFixture) -> None:
    """Neither when a check calls it nor when the supervisor does."""

    class Raising(RecordingObserver):
        def on_check(self, check: Check) -> None:
            super().on_check(check)
            if len(self.checks) == 2:
                raise RuntimeError(CANARY)

        def on_change(self, change: Change) -> None:
            super().on_change(change)
            raise RuntimeError(CANARY)

    node = SupervisedNode()
    node.observer = Raising()
    node.monitor = node.monitor_with(node.observer)

    async def run() -> None:
        async with node.supervised():
            await node.clock.advance(20)
            node.source.hang()
            await node.clock.advance(60)
            node.source.release()
            await node.clock.advance(20)
            assert node.monitor.response().is_available

    asyncio.run(run())
    assert {record.getMessage() for record in caplog.records} == {"an observer failed"}


def test_work_that_raises_is_started_again_after_a_second(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each time, until it is cancelled; the error is logged."""
    clock = FakeClock()
    started: list[float] = []

    async def work() -> None:
        started.append(clock.monotonic())
        if len(started) < 4:
            raise OverflowError(CANARY)
        await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.create_task(keep_running(work, clock))
        await clock.advance(10)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(scenario())
    assert [each - started[0] for each in started] == [0, 1, 2, 3]
    assert [record.getMessage() for record in caplog.records] == [
        "a background task failed; it starts again in 1 s"
    ] * 3


def test_log_that_raises_does_not_end_the_work() -> None:
    """A record contains the time, which Python cannot represent for an impossible year."""
    clock = FakeClock()
    started: list[float] = []

    def impossible(*_: object, **__: object) -> logging.LogRecord:
        raise OverflowError

    async def work() -> None:
        started.append(clock.monotonic())
        raise OverflowError

    async def scenario() -> None:
        task = asyncio.create_task(keep_running(work, clock))
        await clock.advance(2.5)
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})

    logging.setLogRecordFactory(impossible)
    try:
        asyncio.run(scenario())
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    assert len(started) == 3


def test_running_monitor_is_reported_every_second() -> None:
    """Between two checks and during one."""
    node = SupervisedNode()
    node.play(*[1] * 60)
    assert node.running_at == list(range(1, 61))


def test_monitor_whose_loop_keeps_ending_is_not_reported() -> None:
    """The supervisor itself works, which is not enough."""
    node = SupervisedNode(ending_after(0))
    node.play(*[1] * 20)
    assert node.running_at == []


def test_hanging_check_is_reported_until_it_should_have_been_cancelled() -> None:
    """A source that ignores its cancellation stops the checks forever."""

    class Uncancellable(FakeGpuSource):
        async def list_gpus(self) -> CheckResult:
            while True:
                with suppress(asyncio.CancelledError):
                    return await super().list_gpus()

    node = SupervisedNode()
    node.source = Uncancellable(clock=node.clock)
    node.monitor = node.monitor_with()

    async def run() -> None:
        async with node.supervised():
            node.source.hang()
            for _ in range(100):
                await node.clock.advance(1)
            node.source.release()
            await node.clock.advance(5)

    asyncio.run(run())
    assert [each for each in node.running_at if each < 100][-1] in range(43, 47)
