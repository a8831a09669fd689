"""Hints that DStack has gone or come back: they bring a check forward, and make no storm."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import CheckPolicy, GpuInventory, NodeIdentity
from dstack_backend.testing.fakes import FakeClock, FakeGpuSource
from tests.unit.harness import SimulatedNode, play

GOOD = GpuInventory()


@pytest.mark.parametrize(
    ("hinted", "starts"),
    [
        pytest.param([5], [0, 5, 15, 25], id="a hint asks for a check now"),
        pytest.param([0.25], [0, 1, 11, 21], id="soon after a check it waits out the second"),
        pytest.param([9.5], [0, 9.5, 19.5, 29.5], id="the interval begins with the check"),
        pytest.param([], [0, 10, 20, 30], id="without a hint the clock decides"),
    ],
)
def test_when_hints_make_it_ask(hinted: list[float], starts: list[float]) -> None:
    """The seconds at which checks start, of the first 30, with hints at other seconds."""
    stage = SimulatedNode([GOOD])

    async def scene() -> None:
        for before, after in zip([0.0, *hinted], [*hinted, 30.0], strict=True):
            await stage.clock.advance(after - before)
            if after < 30:
                stage.watcher.hint()
                await stage.clock.advance(0)

    play(stage, scene)
    assert stage.dstack.asked_at == starts


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 4.0]), max_size=20))
def test_no_hints_make_a_storm(pauses: list[float]) -> None:
    """However many hints come, a second lies between one check's end and the next one's start."""
    stage = SimulatedNode([GOOD])

    async def scene() -> None:
        for pause in pauses:
            await stage.clock.advance(pause)
            stage.watcher.hint()
        await stage.clock.advance(10)

    play(stage, scene)
    starts = stage.dstack.asked_at
    assert all(after - before >= 1 for before, after in pairwise(starts))


def test_a_hint_during_a_check_is_not_lost() -> None:
    """DStack may go while it answers; the next check comes a second after this one's end."""
    stage = SimulatedNode([GOOD], latency=2)

    async def scene() -> None:
        await stage.clock.advance(1)
        stage.watcher.hint()
        await stage.clock.advance(8)
        assert stage.dstack.asked_at == [0, 3]

    play(stage, scene)


def test_a_presence_that_fails_is_logged_and_checks_go_on_by_the_clock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Hints are a convenience: without them the monitor polls."""

    class Broken:
        async def wait_for_change(self) -> None:
            raise RuntimeError("c4n4ry")

    clock = FakeClock()
    dstack = FakeGpuSource([GOOD], clock=clock)
    policy = CheckPolicy()
    monitor = Monitor(dstack, clock, policy=policy, identity=NodeIdentity(), watcher=Broken())

    async def scene() -> None:
        loop = asyncio.create_task(monitor.run())
        await clock.advance(30)
        loop.cancel()
        await asyncio.wait({loop})

    asyncio.run(scene())
    assert dstack.asked_at == [0, 1, 11, 21]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
