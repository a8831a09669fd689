"""Hints of the connectivity watcher: they cause a check at once, and never a storm of checks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import (
    CheckFailure,
    CheckPolicy,
    ConnectivityWatcher,
    GpuInventory,
    NodeIdentity,
    Reason,
)
from tests.unit.harness import MonitorHarness

GOOD = GpuInventory()
BAD = CheckFailure(Reason.CONNECTION_REFUSED)
PAUSES = [0.0, 0.25, 0.5, 1.0, 4.0, 11.0]


@pytest.mark.parametrize(
    ("hints", "starts"),
    [
        pytest.param([], [0, 10, 20], id="no hint"),
        pytest.param([5], [0, 5, 15, 25], id="at once"),
        pytest.param([0.25], [0, 0.25, 10.25, 20.25], id="at once, even right after a check"),
        pytest.param([9.75], [0, 9.75, 19.75, 29.75], id="the interval starts with the check"),
        pytest.param([5, 5.25], [0, 5, 6, 16, 26], id="a second after the last hinted check"),
        pytest.param([5, 5.25, 5.5, 5.75], [0, 5, 6, 7, 17, 27], id="one check a second"),
        pytest.param(
            [9.5, 10.25, 20.75], [0, 9.5, 10.5, 20.5, 20.75], id="not after a regular one"
        ),
    ],
)
def test_hint_causes_a_check(hints: list[float], starts: list[float]) -> None:
    """The seconds at which checks start, of the first 30, with hints at some seconds."""
    node = MonitorHarness([GOOD])

    async def scenario() -> None:
        for before, after in pairwise([0.0, *hints, 29.999]):
            await node.clock.advance(after - before)
            if after < 29:
                node.watcher.hint()
                await node.clock.advance(0)

    node.play(scenario)
    assert node.source.asked_at == starts


@given(st.lists(st.sampled_from(PAUSES), max_size=20), st.sampled_from([0.0, 0.25, 3.0]))
def test_hinted_checks_start_a_second_apart(pauses: list[float], latency: float) -> None:
    """However many hints there are. The others are on schedule: an interval after the last one."""
    node = MonitorHarness([GOOD], latency)

    async def scenario() -> None:
        for pause in pauses:
            await node.clock.advance(pause)
            node.watcher.hint()
        await node.clock.advance(10)

    node.play(scenario)
    checks = node.observer.checks
    hinted = [check.started for check in checks if check.is_hinted]
    assert all(after - before >= 1 for before, after in pairwise(hinted))
    for before, after in pairwise(checks):
        assert after.is_hinted == (after.started - before.started < 10)


@pytest.mark.parametrize("phase", [number / 20 for number in range(1, 20)])
def test_crash_is_seen_at_any_phase(phase: float) -> None:
    """In no time, whatever part of a second has passed since the last check."""
    node = MonitorHarness([GOOD, GOOD, BAD])

    async def scenario() -> None:
        await node.clock.advance(10 + phase)
        node.watcher.hint()
        await node.clock.advance(0)
        assert node.health == BAD.message

    node.play(scenario)


def test_return_within_a_second_of_a_crash_is_seen_when_the_second_is_over() -> None:
    """There is at most one hinted check in a second."""
    node = MonitorHarness([GOOD, BAD, GOOD])

    async def scenario() -> None:
        await node.clock.advance(3)
        node.watcher.hint()
        await node.clock.advance(0.5)
        node.watcher.hint()
        await node.clock.advance(0.5)
        assert node.health == "available"

    node.play(scenario)
    assert node.source.asked_at == [0, 3, 4]


def test_hint_during_a_check_is_not_lost() -> None:
    """The source may go while it answers: another check follows at once."""
    node = MonitorHarness([GOOD], latency=2)

    async def scenario() -> None:
        await node.clock.advance(1)
        node.watcher.hint()
        await node.clock.advance(8)

    node.play(scenario)
    assert node.source.asked_at == [0, 2]


def test_hint_that_comes_when_a_check_is_due_does_not_count() -> None:
    """The regular check answers it, and the next hint is followed at once."""
    node = MonitorHarness([GOOD], latency=12)

    async def scenario() -> None:
        await node.clock.advance(1)
        node.watcher.hint()
        await node.clock.advance(11)

    node.play(scenario)
    assert node.source.asked_at == [0, 12]
    assert [check.is_hinted for check in node.observer.checks] == [False]


class RaisingWatcher:
    """Breaks the contract of its port."""

    async def wait_for_change(self) -> None:
        """Raise."""
        raise RuntimeError("c4n4ry")


class SynchronousWatcher:
    """Is not async def, as a type checker would tell."""

    def wait_for_change(self) -> None:
        """Return."""


@pytest.mark.parametrize("watcher", [RaisingWatcher(), SynchronousWatcher()])
def test_faulty_watcher_is_logged_once_and_checks_continue_on_schedule(
    watcher: ConnectivityWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """Hints are an improvement: without them the monitor polls."""
    node = MonitorHarness([GOOD])
    node.monitor = Monitor(
        node.source, node.clock, policy=CheckPolicy(), identity=NodeIdentity(), watcher=watcher
    )
    node.run_for(30)
    assert node.source.asked_at == [0, 10, 20, 30]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
