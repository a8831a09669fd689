"""The arithmetic of uptime, against a model that looks at each second by itself."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain import Reason, Status
from dstack_backend.domain.history import (
    WINDOWS,
    HistoryEntry,
    Span,
    SpanState,
    Uptime,
    recorded_windows,
    spans,
    timeline,
    uptime,
    uptime_windows,
)
from dstack_backend.domain.timestamp import MIN_VALID_TIME
from dstack_backend.testing.strategies import entry_lists
from tests.unit.history_entries import at, down, up

SECONDS = st.integers(-30, 150)
DAY = 86_400.0


def state_in(second: int, entries: list[HistoryEntry], alive_until: int) -> SpanState:
    """Return the state of one second, by the rules in the module's docstring alone."""
    dated = [entry for entry in entries if entry.at >= MIN_VALID_TIME]
    if not dated or at(second) >= max(dated[-1].at, at(alive_until)):
        return SpanState.UNKNOWN
    earlier = [entry for entry in dated if entry.at <= at(second)]
    if not earlier:
        return SpanState.UNKNOWN
    holding = earlier[-1]
    if holding.after is Status.AVAILABLE:
        return SpanState.UP
    if holding.after is None or holding.reason in {Reason.STARTING, Reason.STALE}:
        return SpanState.UNKNOWN
    return SpanState.DOWN


@given(entry_lists(), SECONDS, SECONDS, SECONDS)
def test_each_second_counts_as_the_model_says(
    entries: list[HistoryEntry], one: int, other: int, alive_until: int
) -> None:
    """Whatever the clock showed, whatever the window and the last sign of life."""
    since, until = sorted((one, other))
    total = uptime(spans(entries, at(since), at(until), at(alive_until)))
    seconds = [state_in(second, entries, alive_until) for second in range(since, until)]
    assert total == Uptime(*(float(seconds.count(state)) for state in SpanState))


@given(entry_lists(), SECONDS, SECONDS, SECONDS)
def test_spans_have_no_hole_and_do_not_overlap(
    entries: list[HistoryEntry], one: int, other: int, alive_until: int
) -> None:
    """They cover the window, each starts where the previous one ends, and none is empty."""
    since, until = sorted((one, other))
    parts = spans(entries, at(since), at(until), at(alive_until))
    edges = [at(since), *(part.end for part in parts)]
    assert [part.start for part in parts] == edges[:-1]
    assert edges[-1] == at(until)
    assert all(start < end for start, end in pairwise(edges))


@given(entry_lists(), SECONDS, SECONDS)
def test_no_time_after_the_last_sign_of_life_is_up(
    entries: list[HistoryEntry], since: int, alive_until: int
) -> None:
    """After a `kill -9` nothing is known, however long the window goes on."""
    end = max([at(alive_until), *(entry.at for entry in entries)])
    total = uptime(spans(entries, end, end + timedelta(days=1), at(alive_until)))
    assert total == Uptime(0.0, 0.0, 86_400.0)
    begin = min([at(since), *(entry.at for entry in entries)])
    assert uptime(spans(entries, begin - timedelta(days=1), begin, end)).up_seconds == 0


@given(entry_lists(), SECONDS, st.integers(1, 180), st.integers(1, 60))
def test_slots_of_a_timeline_add_up_to_the_whole(
    entries: list[HistoryEntry], since: int, length: int, count: int
) -> None:
    """All slots have the same length, and no second between them is lost or counted twice."""
    begin, end = at(since), at(since + length)
    parts = spans(entries, begin, end, end)
    slots = timeline(parts, begin, end, count)
    assert len(slots) == count
    for slot in slots:
        whole = slot.up_seconds + slot.down_seconds + slot.unknown_seconds
        assert whole == pytest.approx(length / count, abs=1e-5)
    total = uptime(parts)
    assert sum(slot.up_seconds for slot in slots) == pytest.approx(total.up_seconds)
    assert sum(slot.down_seconds for slot in slots) == pytest.approx(total.down_seconds)


@given(entry_lists(), entry_lists(), SECONDS)
def test_clock_ahead_hides_nothing_that_was_written_after_it(
    before: list[HistoryEntry], after: list[HistoryEntry], again: int
) -> None:
    """From the first entry by the right clock on, earlier entries make no difference."""
    ahead = replace(up(0), at=at(365 * 86_400))
    right = [up(again), *(entry for entry in after if entry.at >= at(again))]
    window = at(again), at(200), at(200)
    assert spans([*before, ahead, *right], *window) == spans(right, *window)


@given(entry_lists(), entry_lists(), SECONDS, SECONDS)
def test_entry_of_an_unset_clock_changes_nothing(
    before: list[HistoryEntry], after: list[HistoryEntry], since: int, unset: int
) -> None:
    """A boot in 1970 neither hides the time before it nor counts itself."""
    boot = replace(up(0), at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=abs(unset)))
    window = at(since), at(200), at(200)
    assert spans([*before, boot, *after], *window) == spans([*before, *after], *window)


def test_times_from_2025_on_are_valid() -> None:
    """The first moment of 2025 counts; the last microsecond and the last second of 2024 do not."""
    assert datetime(2025, 1, 1, tzinfo=UTC) == MIN_VALID_TIME
    since, until = MIN_VALID_TIME - timedelta(days=1), MIN_VALID_TIME + timedelta(days=1)
    valid = replace(up(0), at=MIN_VALID_TIME)
    assert uptime(spans([valid], since, until, until)) == Uptime(86_400.0, 0.0, 86_400.0)
    for early in (timedelta(microseconds=1), timedelta(seconds=1)):
        unset = replace(valid, at=MIN_VALID_TIME - early)
        assert uptime(spans([unset], since, until, until)) == Uptime(0.0, 0.0, 2 * 86_400.0)


@given(entry_lists(), st.integers(1, 6), st.integers(1, 30))
def test_slot_equals_the_uptime_of_its_own_window(
    entries: list[HistoryEntry], count: int, length: int
) -> None:
    """A slot has the values that its time has as a window of its own."""
    end = at(count * length)
    slots = timeline(spans(entries, at(0), end, end), at(0), end, count)
    for number, slot in enumerate(slots):
        alone = spans(entries, at(number * length), at((number + 1) * length), end)
        assert slot == uptime(alone)


def test_empty_window_has_no_spans() -> None:
    """Nor has one that ends before it starts."""
    assert spans([up(0)], at(5), at(5), at(9)) == []
    assert spans([up(0)], at(5), at(3), at(9)) == []
    assert timeline([], at(5), at(5), 2) == [Uptime(0.0, 0.0, 0.0)] * 2


@pytest.mark.parametrize(
    ("total", "up_percent", "unknown_percent"),
    [
        (Uptime(0.0, 0.0, 0.0), None, 100.0),
        (Uptime(0.0, 0.0, 9.0), None, 100.0),
        (Uptime(9.0, 0.0, 0.0), 100.0, 0.0),
        (Uptime(0.0, 9.0, 0.0), 0.0, 0.0),
        (Uptime(3.0, 1.0, 12.0), 75.0, 75.0),
    ],
)
def test_unknown_time_counts_neither_as_up_nor_as_down(
    total: Uptime, up_percent: float | None, unknown_percent: float
) -> None:
    """Up is a share of the known time, unknown one of the whole."""
    assert (total.up_percent, total.unknown_percent) == (up_percent, unknown_percent)


@given(st.integers(1, 10**13))
def test_one_state_alone_is_exactly_100_percent(microseconds: int) -> None:
    """A node that was never down must not show 99.99 %."""
    seconds = microseconds / 1e6
    assert Uptime(seconds, 0.0, 5.0).up_percent == 100.0
    assert Uptime(0.0, 0.0, seconds).unknown_percent == 100.0


def test_windows_are_those_of_the_contract() -> None:
    """A day, a week, a month, a quarter, the shortest first."""
    days = {"24h": 1, "7d": 7, "30d": 30, "90d": 90}
    assert {name: timedelta(days=count) for name, count in days.items()} == WINDOWS
    assert list(WINDOWS) == list(days)


@given(entry_lists(), st.integers(0, 200), st.integers(0, 200))
def test_uptime_windows_equal_the_uptime_of_each_window(
    entries: list[HistoryEntry], now: int, alive_until: int
) -> None:
    """They are computed from one pass over the entries."""
    expected = {
        name: uptime(spans(entries, at(now) - length, at(now), at(alive_until)))
        for name, length in WINDOWS.items()
    }
    found = uptime_windows(entries, at(now), at(alive_until))
    assert list(found) == list(expected)
    for name, total in expected.items():
        assert found[name].up_seconds == pytest.approx(total.up_seconds)
        assert found[name].down_seconds == pytest.approx(total.down_seconds)
        assert found[name].unknown_seconds == pytest.approx(total.unknown_seconds)


def test_shorter_windows_leave_out_what_was_before_them() -> None:
    """Up for 80 days, then down for 20: of the last day and week all is down."""
    found = uptime_windows([up(0), down(80 * DAY)], at(100 * DAY), at(100 * DAY))
    assert [total.up_seconds for total in found.values()] == [0, 0, 10 * DAY, 70 * DAY]
    assert [total.down_seconds for total in found.values()] == [DAY, 7 * DAY, 20 * DAY, 20 * DAY]


@pytest.mark.parametrize(
    ("days", "windows"),
    [
        (None, []),
        (-1, ["24h"]),
        (1, ["24h"]),
        (3, ["24h", "7d"]),
        (8, ["24h", "7d", "30d"]),
        (91, ["24h", "7d", "30d", "90d"]),
    ],
)
def test_recorded_windows_are_those_that_have_more_than_a_shorter_one(
    days: float | None, windows: list[str]
) -> None:
    """The first is always there, also for a clock that was set back."""
    start = None if days is None else at(-days * DAY)
    assert recorded_windows(start, at(0)) == windows


def test_timeline_of_many_spans_is_divided_to_its_end() -> None:
    """A thousand changes, one a second: each slot has its own."""
    parts = [Span(at(n), at(n + 1), SpanState.DOWN if n % 2 else SpanState.UP) for n in range(1000)]
    slots = timeline(parts, at(0), at(1000), 10)
    assert slots == [Uptime(50.0, 50.0, 0.0)] * 10
