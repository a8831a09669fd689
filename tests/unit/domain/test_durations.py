"""How long checks took: medians, maxima and failures of each half hour of a day."""

import statistics
from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.domain import Check, CheckFailure, CheckResult, GpuInventory, Reason, Timestamp
from dstack_backend.domain.durations import (
    PERIODS,
    DurationPeriod,
    last_day,
    record_duration,
    total,
)
from dstack_backend.testing.fakes import EPOCH

BAD = CheckFailure(Reason.TIMED_OUT)


def recorded(
    checks: Iterable[tuple[float, float | None]],
) -> Mapping[int, DurationPeriod]:
    """Return the periods after checks at so many minutes that took so long; `None` failed."""
    periods: Mapping[int, DurationPeriod] = {}
    for minutes, seconds in checks:
        result: CheckResult = BAD if seconds is None else GpuInventory()
        finished = Timestamp(60 * minutes + 100, EPOCH + timedelta(minutes=minutes))
        started = finished.monotonic - (5.0 if seconds is None else seconds)
        periods = record_duration(periods, Check(result=result, started=started, finished=finished))
    return periods


def day(periods: Mapping[int, DurationPeriod], minutes: float) -> list[DurationPeriod]:
    """Return the half hours up to so many minutes."""
    return last_day(periods, EPOCH + timedelta(minutes=minutes))


def test_a_day_has_48_half_hours_the_last_is_the_present_one() -> None:
    """Those without checks have no duration."""
    periods = day(recorded([(1, 0.1), (31, 0.4)]), 45)
    assert len(periods) == PERIODS == 48
    assert [each.longest for each in periods[:-2]] == [0.0] * 46
    assert [each.longest for each in periods[-2:]] == pytest.approx([0.1, 0.4])
    assert periods[0].median == 0.0
    assert [each.number for each in periods] == list(
        range(periods[-1].number - 47, periods[-1].number + 1)
    )


def test_the_median_lies_between_short_and_long_checks() -> None:
    """Two of five are short, so that it lies beyond their class."""
    periods = recorded((minute, 0.1 if minute < 2 else 0.9) for minute in range(5))
    (period,) = periods.values()
    assert period.median == pytest.approx(0.9, rel=0.05)


def test_failed_checks_are_counted_and_have_no_duration() -> None:
    """One that timed out says nothing about the others."""
    (*_, last) = day(recorded([(1, 0.1), (2, None), (3, None)]), 4)
    assert last.failures == 2
    assert last.longest == pytest.approx(0.1)
    (*_, failed) = day(recorded([(1, None)]), 4)
    assert (failed.failures, failed.longest, failed.median) == (1, 0.0, 0.0)


@given(st.lists(st.floats(0.0002, 86_400.0), min_size=1))
def test_the_median_is_right_within_5_percent(durations: list[float]) -> None:
    """And never above the longest, which is exact."""
    (*_, last) = day(recorded((1.0, each) for each in durations), 1)
    assert last.longest == pytest.approx(max(durations))
    assert last.median <= last.longest
    assert last.median == pytest.approx(statistics.median_low(durations), rel=0.05)


@given(
    st.lists(st.tuples(st.floats(0.0, 10_000.0), st.none() | st.floats(0.0, 100.0)), max_size=60)
)
def test_what_is_kept_is_bounded_whatever_the_clock_does(
    checks: list[tuple[float, float | None]],
) -> None:
    """A clock may be set back. The last check is always kept."""
    periods = recorded(checks)
    assert len(periods) <= PERIODS
    if checks:
        minutes, seconds = checks[-1]
        (*_, last) = day(periods, minutes)
        assert last.failures > 0 if seconds is None else last.longest > 0


def test_a_period_of_another_day_is_left_out() -> None:
    """From the next check on."""
    periods = recorded([(1, 0.1), (24 * 60 + 1, 0.2)])
    assert [each.longest for each in periods.values()] == pytest.approx([0.2])


def test_a_day_as_one_period() -> None:
    """The median is that of all checks, not that of the medians."""
    checks = [(1, 0.1), (2, 0.1), (3, 0.1), (31, 0.4), (32, None)]
    whole = total(day(recorded(checks), 45))
    assert whole.median == pytest.approx(0.1, rel=0.05)
    assert whole.failures == 1
    assert whole.longest == pytest.approx(0.4)
