"""When the next check is due, and from when on a hint causes one.

Every policy here has an interval of 10 s and a timeout of 5 s unless it says otherwise.
"""

import pytest

from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckPolicy,
    CheckResult,
    GpuInventory,
    MonitorState,
    Reason,
    Timestamp,
    next_check_at,
    observe,
)
from dstack_backend.domain.monitor import earliest_hinted_check
from dstack_backend.testing.fakes import EPOCH

START = Timestamp(0.0, EPOCH)
GOOD = GpuInventory(source_version="v0.5.11")
BAD = CheckFailure(Reason.CONNECTION_REFUSED)
WORSE = CheckFailure(Reason.HTTP_ERROR)
HUNG = CheckFailure(Reason.TIMED_OUT)


def finished_at(
    second: float, result: CheckResult, took: float = 0.0, *, is_hinted: bool = False
) -> Check:
    """Return a check."""
    return Check(result=result, started=second - took, finished=START + second, is_hinted=is_hinted)


@pytest.mark.parametrize(
    ("results", "took", "due"),
    [
        pytest.param([GOOD], 0, 10, id="an interval after the start"),
        pytest.param([GOOD], 4, 6, id="which includes the duration of the check"),
        pytest.param([GOOD], 25, 0, id="at once where it took longer than the interval"),
        pytest.param([BAD], 0, 1, id="after a failure in 1 s"),
        pytest.param([BAD] * 2, 0, 2, id="then in 2 s"),
        pytest.param([BAD] * 3, 0, 4, id="then in 4 s"),
        pytest.param([BAD] * 4, 0, 8, id="then in 8 s"),
        pytest.param([BAD] * 5, 0, 10, id="and never later than an interval after the start"),
        pytest.param([BAD], 4, 1, id="counted from the end of the failed check"),
        pytest.param([BAD] * 4, 4, 6, id="which the interval still bounds"),
        pytest.param([BAD] * 5000, 0, 10, id="thousands of failures do not overflow"),
        pytest.param([BAD, BAD, GOOD], 0, 10, id="a good check resets the back-off"),
        pytest.param([BAD, BAD, GOOD, BAD], 0, 1, id="the next failure starts it again"),
        pytest.param([WORSE, BAD], 0, 2, id="whatever the failure before was"),
        pytest.param([HUNG], 5, 5, id="after a timeout in 5 s, the timeout"),
        pytest.param([HUNG] * 2, 5, 10, id="then in 10 s"),
        pytest.param([HUNG] * 3, 5, 20, id="then in 20 s, two intervals"),
        pytest.param([HUNG] * 5000, 5, 20, id="and never later"),
        pytest.param([BAD, HUNG], 5, 10, id="after other failures as well"),
        pytest.param([HUNG, BAD], 0, 2, id="a failure at once ends it"),
    ],
)
def test_next_check_is_due_after_interval_or_back_off(
    results: list[CheckResult], took: float, due: float
) -> None:
    """Seconds from the end of the last check to the start of the next."""
    state = MonitorState(since=START)
    for result in results:
        state = observe(state, finished_at(100, result, took), CheckPolicy())
    assert next_check_at(state, CheckPolicy()) == 100 + due


def test_first_check_is_due_at_once() -> None:
    """It waits neither for an interval nor for a hint."""
    state = MonitorState(since=START)
    assert next_check_at(state, CheckPolicy()) == START.monotonic
    assert earliest_hinted_check(state) <= START.monotonic


@pytest.mark.parametrize("result", [GOOD, BAD])
def test_hint_is_followed_at_any_time_after_a_regular_check(result: CheckResult) -> None:
    """A crash right after a check is not left until a second has passed."""
    state = observe(MonitorState(since=START), finished_at(100, result, took=4), CheckPolicy())
    assert earliest_hinted_check(state) <= START.monotonic


@pytest.mark.parametrize("result", [GOOD, BAD])
def test_hint_is_followed_a_second_after_the_start_of_the_last_hinted_check(
    result: CheckResult,
) -> None:
    """Regular checks in between do not move that time."""
    hinted = finished_at(100, result, took=4, is_hinted=True)
    state = observe(MonitorState(since=START), hinted, CheckPolicy())
    assert earliest_hinted_check(state) == 97
    state = observe(state, finished_at(110, result), CheckPolicy())
    assert earliest_hinted_check(state) == 97


def test_interval_shorter_than_the_first_retry_holds_after_a_failure() -> None:
    """A failure never delays the next check."""
    policy = CheckPolicy(interval=0.25)
    state = observe(MonitorState(since=START), finished_at(100, BAD), policy)
    assert next_check_at(state, policy) == 100.25


@pytest.mark.parametrize(
    ("timeout", "interval", "pauses"),
    [(0.2, 10, [1, 2, 4]), (5, 60, [5, 10, 20]), (30, 10, [20, 20, 20]), (30, 0.25, [0.5] * 3)],
)
def test_pause_after_a_timeout_follows_timeout_and_interval(
    timeout: float, interval: float, pauses: list[float]
) -> None:
    """It starts with the timeout, at least 1 s, and ends with two intervals."""
    policy, state = CheckPolicy(interval=interval, timeout=timeout), MonitorState(since=START)
    for pause in pauses:
        state = observe(state, finished_at(100, HUNG, timeout), policy)
        assert next_check_at(state, policy) == 100 + pause
