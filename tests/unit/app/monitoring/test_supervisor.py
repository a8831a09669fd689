"""The loop is watched: it is started again whenever it ends, and what it misses is noticed."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.monitoring.supervisor import supervise
from dstack_backend.domain import (
    Change,
    Check,
    CheckPolicy,
    CheckResult,
    GpuInventory,
    NodeIdentity,
)
from dstack_backend.testing.fakes import ORIGIN, FakeClock, FakeGpuSource, RecordingObserver

CANARY = "c4n4ry"


class SimulatedNode:
    """A supervised monitor among fakes."""

    def __init__(self, script: Callable[[], CheckResult] = GpuInventory) -> None:
        self.clock = FakeClock()
        self.dstack = FakeGpuSource(script, clock=self.clock)
        self.observer = RecordingObserver()
        self.monitor = self.watched_by(self.observer)

    def watched_by(self, *observers: RecordingObserver) -> Monitor:
        """A monitor that tells these observers."""
        return Monitor(
            self.dstack,
            self.clock,
            policy=CheckPolicy(),
            identity=NodeIdentity(),
            observers=observers,
        )

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator[None, None]:
        """Supervise, and see that the end leaves nothing behind."""
        task = asyncio.create_task(supervise(self.monitor, self.clock))
        await self.clock.advance(0)
        yield
        assert not task.done(), "the supervision ended"
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def play(self, *seconds: float) -> None:
        """Let so many seconds pass, one stretch after the other."""

        async def act() -> None:
            async with self.supervised():
                for each in seconds:
                    await self.clock.advance(each)

        asyncio.run(act())

    @property
    def announced(self) -> list[tuple[float, str]]:
        """The changes: second, and the status or the reason from then on."""
        return [
            (change.at.monotonic - ORIGIN, change.after.reason or change.after.status)
            for change in self.observer.changes
        ]


def breaking_after(good: int) -> Callable[[], CheckResult]:
    """A DStack that breaks its promise after some good answers."""
    remaining = [GpuInventory() for _ in range(good)]

    def script() -> CheckResult:
        if not remaining:
            raise RuntimeError(CANARY)
        return remaining.pop()

    return script


def test_a_healthy_loop_is_left_alone() -> None:
    """Watching it every second changes nothing about its checks."""
    stage = SimulatedNode()
    stage.play(35)
    assert stage.dstack.asked_at == [0, 10, 20, 30]
    assert stage.announced == [(0, "available")]


def test_a_loop_that_ends_is_started_again_after_a_second() -> None:
    """Again and again; one check at a time."""
    stage = SimulatedNode(breaking_after(0))
    stage.play(3.5)
    assert stage.dstack.asked_at == [0, 1, 2, 3]
    assert stage.dstack.most_at_once == 1


def test_a_loop_that_recovers_goes_on_as_before() -> None:
    """After one broken promise the interval holds again."""
    results: list[CheckResult | None] = [GpuInventory(), None]

    def script() -> CheckResult:
        result = results.pop(0) if results else GpuInventory()
        if result is None:
            raise RuntimeError(CANARY)
        return result

    stage = SimulatedNode(script)
    stage.play(35)
    assert stage.dstack.asked_at == [0, 10, 11, 21, 31]
    assert stage.announced == [(0, "available")]


def test_the_end_of_a_loop_is_logged_without_the_exceptions_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The record names what happened; the formats leave out what the exception says."""
    caplog.set_level(logging.DEBUG)
    stage = SimulatedNode(breaking_after(0))
    stage.play(0.5)
    (record,) = [each for each in caplog.records if each.name.startswith("dstack_backend")]
    assert record.getMessage() == "the checking loop ended; it starts again in 1 s"
    assert record.exc_info
    assert record.exc_info[0] is RuntimeError


def test_a_loop_that_dies_for_ever_does_not_keep_the_node_available() -> None:
    """Status cannot outlive its evidence; that it went stale is announced once, by the watch."""
    stage = SimulatedNode(breaking_after(1))
    stage.play(60)
    assert not stage.monitor.response().is_available
    assert stage.announced == [(0, "available"), (35, "stale")]


def test_a_dstack_that_hangs_makes_a_stale_status_that_the_watch_announces() -> None:
    """No check reports it; the change tells when it happened, not when it was seen."""
    stage = SimulatedNode()

    async def act() -> None:
        async with stage.supervised():
            stage.dstack.hang()
            await stage.clock.advance(34.5)
            assert stage.announced == [(0, "available")]
            await stage.clock.advance(2)
            assert stage.announced == [(0, "available"), (35, "stale")]
            await stage.clock.advance(100)
            stage.dstack.release()
            await stage.clock.advance(0)
            assert stage.announced == [(0, "available"), (35, "stale"), (136.5, "available")]

    asyncio.run(act())


def test_cancelled_it_cancels_the_check_that_is_under_way() -> None:
    """The end of the service leaves no call open."""
    stage = SimulatedNode()
    stage.dstack.hang()
    stage.play(1)
    assert (stage.dstack.cancelled, stage.dstack.under_way) == (1, 0)


def test_an_observer_that_breaks_its_promise_does_not_end_the_checks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither when it is told by a check nor when it is told by the watch."""

    class Raising(RecordingObserver):
        def on_check(self, check: Check) -> None:
            super().on_check(check)
            if len(self.checks) == 2:
                raise RuntimeError(CANARY)

        def on_change(self, change: Change) -> None:
            super().on_change(change)
            raise RuntimeError(CANARY)

    stage = SimulatedNode()
    stage.observer = Raising()
    stage.monitor = stage.watched_by(stage.observer)

    async def act() -> None:
        async with stage.supervised():
            await stage.clock.advance(20)
            stage.dstack.hang()
            await stage.clock.advance(60)
            stage.dstack.release()
            await stage.clock.advance(20)
            assert stage.monitor.response().is_available

    asyncio.run(act())
    assert {record.getMessage() for record in caplog.records} == {"an observer failed"}
