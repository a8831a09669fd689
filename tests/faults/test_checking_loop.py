"""The checking loop killed, hung and blocked, and the wall clock set, in a process of its own.

The interval is 0.5 s and the timeout 0.2 s, so a status goes stale 1.7 s after its last check.
"""

import itertools
import time
from collections.abc import Callable

import pytest

from tests.contract.process.service import wait_until
from tests.faults.process import HarnessService

ServeHarness = Callable[..., HarnessService]

TIMES = {"CHECK_INTERVAL": "0.5", "CHECK_TIMEOUT": "0.2"}
STALE_AFTER = 1.7
LATE = 0.5
"""Seconds that a busy machine may add."""

LONGEST_STOP = 3.0


def _seconds_until(service: HarnessService, code: int) -> float:
    """Wait until `/health` answers with a status; give how old the last check was by then."""
    wait_until(lambda: service.ask("/health").code == code)
    return float(service.status()["last_check"]["age_seconds"])


def _assert_goes_stale_on_time(service: HarnessService) -> None:
    age = _seconds_until(service, 503)
    assert STALE_AFTER <= age < STALE_AFTER + LATE
    status = service.status()
    assert status["reason"] == "stale"
    assert service.ask("/health").json()["metadata"].startswith("Stale: the last check finished ")
    assert service.ask("/livez").code == 200


@pytest.mark.parametrize("end", ["raise", "cancel", "cancel-task"])
def test_a_loop_that_is_killed_is_started_again_and_meanwhile_its_status_goes_stale(
    serve_harness: ServeHarness, end: str
) -> None:
    """However it ends: stale on time, started again, available as soon as a check succeeds."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order(end)
    _assert_goes_stale_on_time(service)
    assert "the checking loop ended; it starts again in 1 s" in service.log
    service.order("good")
    service.wait_for(None, seconds=2.5)
    assert service.end()[0] == 0


def test_a_call_that_hangs_goes_stale_on_time_and_is_given_up(serve_harness: ServeHarness) -> None:
    """Stale first; then the hanging call is given up as timed out, and checks go on."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("hang")
    _assert_goes_stale_on_time(service)
    service.wait_for("timed_out", seconds=3)
    service.order("good")
    service.wait_for(None, seconds=4)
    assert service.end()[0] == 0


def test_a_call_that_does_not_let_itself_be_cancelled_holds_up_neither_truth_nor_end(
    serve_harness: ServeHarness,
) -> None:
    """Nobody can start such a loop again, but its status goes stale, and SIGTERM ends it."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("uncancellable")
    _assert_goes_stale_on_time(service)
    time.sleep(1)
    assert service.ask("/health").code == 503
    code, seconds = service.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def test_a_blocked_event_loop_never_ends_with_an_old_available(serve_harness: ServeHarness) -> None:
    """Who asks while it is blocked waits, and is told the truth when it goes on."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("block 3 hang")
    time.sleep(0.7)  # by now it is blocked
    started = time.monotonic()
    answer = service.ask("/health")
    assert time.monotonic() - started > 1, "it was blocked when it was asked"
    told = answer.json()["metadata"]
    assert told.startswith("Stale: ") or told == "Connection error: no answer within 1.7 s"
    service.order("good")
    service.wait_for(None, seconds=5)


def test_an_event_loop_that_is_blocked_again_and_again_recovers(
    serve_harness: ServeHarness,
) -> None:
    """Each check blocks everything for longer than the interval; then none does any more."""
    service = serve_harness("block 0.8", **TIMES)
    wait_until(lambda: service.status()["last_check"] is not None)
    assert service.status()["reason"] is None, "slow, but there"
    service.order("good")
    wait_until(lambda: service.status()["last_check"]["duration_seconds"] < 0.5)
    started = time.monotonic()
    assert service.ask("/health").code == 200
    assert time.monotonic() - started < LATE


def test_a_wall_clock_that_jumps_by_decades_changes_nothing(serve_harness: ServeHarness) -> None:
    """Checks keep their pace, ages stay small, and the status stays what it is."""
    service = serve_harness(HARNESS_CLOCK="jumping", **TIMES)
    service.wait_for(None)
    ages: list[float] = []
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert service.ask("/health").code == 200
        status = service.status()
        assert status["reason"] is None
        ages.append(status["last_check"]["age_seconds"])
    assert min(ages) >= 0
    assert max(ages) < 0.5 + LATE
    assert sum(new < old for old, new in itertools.pairwise(ages)) in range(6, 10)
    service.order("hang")
    _assert_goes_stale_on_time(service)


def test_a_wall_clock_that_jumps_does_not_hide_the_end_of_the_loop(
    serve_harness: ServeHarness,
) -> None:
    """It is started again in its second, whatever the year is."""
    service = serve_harness("raise", HARNESS_CLOCK="jumping", **TIMES)
    wait_until(lambda: service.log.count("the checking loop ended") >= 3, seconds=6)
    service.order("good")
    service.wait_for(None, seconds=2.5)
