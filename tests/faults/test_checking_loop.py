"""The checking loop killed, hung and blocked, and the wall clock set, in a process of its own.

The interval is 0.5 s and the timeout 0.2 s, so a status goes stale 1.7 s after its last check.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.process.service import wait_until
from tests.faults.support.process import HarnessService

ServeHarness = Callable[..., HarnessService]

TIMES = {"CHECK_INTERVAL": "0.5", "CHECK_TIMEOUT": "0.2"}
STALE_AFTER = 1.7
LATE = 0.5
"""Seconds that a busy machine may add."""

LONGEST_STOP = 3.0


def _seconds_until(service: HarnessService, code: int) -> float:
    """Wait until `/health` has a status, and return the age of the last check by then."""
    wait_until(lambda: service.ask("/health").code == code)
    return float(service.status()["last_check"]["age_seconds"])


def _assert_goes_stale_on_time(service: HarnessService) -> None:
    age = _seconds_until(service, 503)
    assert STALE_AFTER <= age < STALE_AFTER + LATE
    status = service.status()
    assert status["reason"] == "stale"
    assert service.ask("/health").json()["metadata"].startswith("Stale: the last check finished ")
    assert service.ask("/livez").code == 200


def test_source_that_raises_is_unavailable_with_one_log_line(serve_harness: ServeHarness) -> None:
    """The loop goes on; the node is available again as soon as a check succeeds."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("raise")
    service.wait_for("invalid_response", seconds=1.5)
    wait_until(lambda: service.status()["consecutive_failures"] > 3)
    assert service.log.count(" ERROR ") == 1
    assert "OrderedSource: list_gpus() or its inventory raised [RuntimeError at " in service.log
    service.order("good")
    service.wait_for(None, seconds=2.5)
    assert service.end()[0] == 0


@pytest.mark.parametrize("end", ["cancel", "cancel-task"])
def test_loop_that_ends_is_started_again_and_meanwhile_its_status_goes_stale(
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


def test_hanging_call_goes_stale_on_time_and_is_cancelled(serve_harness: ServeHarness) -> None:
    """Stale first; then the call is cancelled as timed out, and checks go on."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("hang")
    _assert_goes_stale_on_time(service)
    service.wait_for("timed_out", seconds=3)
    service.order("good")
    service.wait_for(None, seconds=4)
    assert service.end()[0] == 0


def test_call_that_ignores_its_cancellation_delays_neither_status_nor_stop(
    serve_harness: ServeHarness,
) -> None:
    """The loop cannot be started again, but the status goes stale, and SIGTERM ends the process."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("uncancellable")
    _assert_goes_stale_on_time(service)
    time.sleep(1)
    assert service.ask("/health").code == 503
    code, seconds = service.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def test_blocked_event_loop_never_returns_an_old_status(serve_harness: ServeHarness) -> None:
    """A request waits while it is blocked, and then has the present status."""
    service = serve_harness(**TIMES)
    service.wait_for(None)
    service.order("block 3 hang")
    time.sleep(0.7)  # by now it is blocked
    started = time.monotonic()
    answer = service.ask("/health")
    assert time.monotonic() - started > 1, "it was blocked when it was asked"
    message = answer.json()["metadata"]
    assert message.startswith("Stale: ") or message == "Connection error: no answer within 1.7 s"
    service.order("good")
    service.wait_for(None, seconds=5)


def test_event_loop_that_is_blocked_repeatedly_recovers(
    serve_harness: ServeHarness,
) -> None:
    """Each check blocks it for longer than the interval; then none does."""
    service = serve_harness("block 0.8", **TIMES)
    wait_until(lambda: service.status()["last_check"] is not None)
    assert service.status()["reason"] is None, "slow, but there"
    service.order("good")
    wait_until(lambda: service.status()["last_check"]["duration_seconds"] < 0.5)
    started = time.monotonic()
    assert service.ask("/health").code == 200
    assert time.monotonic() - started < LATE


def test_wall_clock_that_jumps_by_decades_changes_nothing(serve_harness: ServeHarness) -> None:
    """Schedule, ages and status are the same."""
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


def test_loop_is_restarted_though_the_wall_clock_jumps(
    serve_harness: ServeHarness,
) -> None:
    """Within a second, whatever the year is."""
    service = serve_harness("cancel", HARNESS_CLOCK="jumping", **TIMES)
    wait_until(lambda: service.log.count("the checking loop ended") >= 3, seconds=6)
    service.order("good")
    service.wait_for(None, seconds=2.5)


def test_impossible_year_is_over_when_the_wall_clock_is_right_again(
    serve_harness: ServeHarness, tmp_path: Path
) -> None:
    """Until then everything that reads the time raises, even the log. Nothing ends for good."""
    mark = tmp_path / "impossible"
    service = serve_harness(HARNESS_CLOCK=str(mark), **TIMES)
    service.wait_for(None)
    mark.touch()
    _assert_goes_stale_on_time(service)
    mark.unlink()
    service.wait_for(None, seconds=2.5)
    assert "available: no GPUs" in service.log.splitlines()[-1]
    newest = service.ask("/history").json()["entries"][0]
    assert newest["after"] == "available"
    assert service.end()[0] == 0
