"""The checking loop killed, hung and blocked, and the wall clock set, in a process of its own.

The interval is 0.5 s and the timeout 0.2 s, so a status goes stale 1.7 s after its last check.
"""

import itertools
import time
from collections.abc import Callable

import pytest

from tests.contract.process.service import wait_until
from tests.faults.process import Staged

SimulatedNode = Callable[..., Staged]

TIMES = {"CHECK_INTERVAL": "0.5", "CHECK_TIMEOUT": "0.2"}
STALE_AFTER = 1.7
LATE = 0.5
"""Seconds that a busy machine may add."""

LONGEST_STOP = 3.0


def _seconds_until(staged: Staged, code: int) -> float:
    """Wait until `/health` answers with a status; give how old the last check was by then."""
    wait_until(lambda: staged.ask("/health").code == code)
    return float(staged.status()["last_check"]["age_seconds"])


def _assert_goes_stale_on_time(staged: Staged) -> None:
    age = _seconds_until(staged, 503)
    assert STALE_AFTER <= age < STALE_AFTER + LATE
    status = staged.status()
    assert status["reason"] == "stale"
    assert staged.ask("/health").json()["metadata"].startswith("Stale: the last check finished ")
    assert staged.ask("/livez").code == 200


@pytest.mark.parametrize("end", ["raise", "cancel", "cancel-task"])
def test_a_loop_that_is_killed_is_started_again_and_meanwhile_its_status_goes_stale(
    stage: SimulatedNode, end: str
) -> None:
    """However it ends: stale on time, started again, available as soon as a check succeeds."""
    staged = stage(**TIMES)
    staged.wait_for(None)
    staged.order(end)
    _assert_goes_stale_on_time(staged)
    assert "the checking loop ended; it starts again in 1 s" in staged.log
    staged.order("good")
    staged.wait_for(None, seconds=2.5)
    assert staged.end()[0] == 0


def test_a_call_that_hangs_goes_stale_on_time_and_is_given_up(stage: SimulatedNode) -> None:
    """Stale first; then the hanging call is given up as timed out, and checks go on."""
    staged = stage(**TIMES)
    staged.wait_for(None)
    staged.order("hang")
    _assert_goes_stale_on_time(staged)
    staged.wait_for("timed_out", seconds=3)
    staged.order("good")
    staged.wait_for(None, seconds=4)
    assert staged.end()[0] == 0


def test_a_call_that_does_not_let_itself_be_cancelled_holds_up_neither_truth_nor_end(
    stage: SimulatedNode,
) -> None:
    """Nobody can start such a loop again, but its status goes stale, and SIGTERM ends it."""
    staged = stage(**TIMES)
    staged.wait_for(None)
    staged.order("deaf")
    _assert_goes_stale_on_time(staged)
    time.sleep(1)
    assert staged.ask("/health").code == 503
    code, seconds = staged.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def test_a_blocked_event_loop_never_ends_with_an_old_available(stage: SimulatedNode) -> None:
    """Who asks while it is blocked waits, and is told the truth when it goes on."""
    staged = stage(**TIMES)
    staged.wait_for(None)
    staged.order("block 3 hang")
    time.sleep(0.7)  # by now it is blocked
    started = time.monotonic()
    answer = staged.ask("/health")
    assert time.monotonic() - started > 1, "it was blocked when it was asked"
    told = answer.json()["metadata"]
    assert told.startswith("Stale: ") or told == "Connection error: no answer within 1.7 s"
    staged.order("good")
    staged.wait_for(None, seconds=5)


def test_an_event_loop_that_is_blocked_again_and_again_recovers(stage: SimulatedNode) -> None:
    """Each check blocks everything for longer than the interval; then none does any more."""
    staged = stage("block 0.8", **TIMES)
    wait_until(lambda: staged.status()["last_check"] is not None)
    assert staged.status()["reason"] is None, "slow, but there"
    staged.order("good")
    wait_until(lambda: staged.status()["last_check"]["duration_seconds"] < 0.5)
    started = time.monotonic()
    assert staged.ask("/health").code == 200
    assert time.monotonic() - started < LATE


def test_a_wall_clock_that_jumps_by_decades_changes_nothing(stage: SimulatedNode) -> None:
    """Checks keep their pace, ages stay small, and the status stays what it is."""
    staged = stage(STAGE_CLOCK="jumping", **TIMES)
    staged.wait_for(None)
    ages: list[float] = []
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert staged.ask("/health").code == 200
        status = staged.status()
        assert status["reason"] is None
        ages.append(status["last_check"]["age_seconds"])
    assert min(ages) >= 0
    assert max(ages) < 0.5 + LATE
    assert sum(new < old for old, new in itertools.pairwise(ages)) in range(6, 10)
    staged.order("hang")
    _assert_goes_stale_on_time(staged)


def test_a_wall_clock_that_jumps_does_not_hide_the_end_of_the_loop(stage: SimulatedNode) -> None:
    """It is started again in its second, whatever the year is."""
    staged = stage("raise", STAGE_CLOCK="jumping", **TIMES)
    wait_until(lambda: staged.log.count("the checking loop ended") >= 3, seconds=6)
    staged.order("good")
    staged.wait_for(None, seconds=2.5)
