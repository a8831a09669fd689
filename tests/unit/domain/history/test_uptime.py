"""The arithmetic of the past, against a model that looks at each second by itself."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain import (
    BackendStatus,
    CheckFailure,
    GpuInventory,
    Reason,
    Status,
    Timestamp,
)
from dstack_backend.domain.history import (
    MIN_VALID_TIME,
    WINDOWS,
    HistoryEntry,
    Span,
    SpanState,
    Uptime,
    spans,
    timeline,
    uptime,
)
from dstack_backend.domain.status import Change, assess
from dstack_backend.testing.strategies import history_entries, pasts
from tests.unit.history_entries import at, up

SECONDS = st.integers(-30, 150)


def known_in(second: int, entries: list[HistoryEntry], alive_until: int) -> SpanState:
    """The model: what is known of one second, from the words of the module alone."""
    dated = [entry for entry in entries if entry.at >= MIN_VALID_TIME]
    if not dated or at(second) >= max(dated[-1].at, at(alive_until)):
        return SpanState.UNKNOWN
    said = [entry for entry in dated if entry.at <= at(second)]
    if not said:
        return SpanState.UNKNOWN
    held = said[-1]
    if held.after is Status.AVAILABLE:
        return SpanState.UP
    if held.after is None or held.reason in {Reason.STARTING, Reason.STALE}:
        return SpanState.UNKNOWN
    return SpanState.DOWN


@given(pasts(), SECONDS, SECONDS, SECONDS)
def test_each_second_counts_as_what_was_known_of_it(
    entries: list[HistoryEntry], one: int, other: int, alive_until: int
) -> None:
    """Whatever the clock showed, the window and the last sign of life."""
    since, until = sorted((one, other))
    total = uptime(spans(entries, at(since), at(until), at(alive_until)))
    seconds = [known_in(second, entries, alive_until) for second in range(since, until)]
    assert total == Uptime(*(float(seconds.count(known)) for known in SpanState))


@given(pasts(), SECONDS, SECONDS, SECONDS)
def test_spans_divide_the_time_without_hole_or_overlap(
    entries: list[HistoryEntry], one: int, other: int, alive_until: int
) -> None:
    """They begin and end with it, each begins where the one before ends, and none is empty."""
    since, until = sorted((one, other))
    parts = spans(entries, at(since), at(until), at(alive_until))
    edges = [at(since), *(part.end for part in parts)]
    assert [part.start for part in parts] == edges[:-1]
    assert edges[-1] == at(until)
    assert all(start < end for start, end in pairwise(edges))


@given(pasts(), SECONDS, SECONDS)
def test_after_the_last_sign_of_life_nothing_is_up(
    entries: list[HistoryEntry], since: int, alive_until: int
) -> None:
    """After a `kill -9` nobody looked, however long the window goes on."""
    end = max([at(alive_until), *(entry.at for entry in entries)])
    total = uptime(spans(entries, end, end + timedelta(days=1), at(alive_until)))
    assert total == Uptime(0.0, 0.0, 86_400.0)
    begin = min([at(since), *(entry.at for entry in entries)])
    assert uptime(spans(entries, begin - timedelta(days=1), begin, end)).up_seconds == 0


@given(pasts(), SECONDS, st.integers(1, 180), st.integers(1, 60))
def test_the_slots_of_a_timeline_add_up_to_the_whole(
    entries: list[HistoryEntry], since: int, length: int, count: int
) -> None:
    """Each slot is as long as the others, and no second is lost or counted twice between them."""
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


@given(pasts(), pasts(), SECONDS)
def test_a_clock_that_was_ahead_hides_nothing_that_came_after_it(
    before: list[HistoryEntry], after: list[HistoryEntry], again: int
) -> None:
    """From the first moment by the right clock on, all is as if there had been nothing before."""
    ahead = replace(up(0), at=at(365 * 86_400))
    right = [up(again), *(entry for entry in after if entry.at >= at(again))]
    window = at(again), at(200), at(200)
    assert spans([*before, ahead, *right], *window) == spans(right, *window)


@given(pasts(), pasts(), SECONDS, SECONDS)
def test_a_clock_that_was_not_set_changes_nothing(
    before: list[HistoryEntry], after: list[HistoryEntry], since: int, unset: int
) -> None:
    """A boot in 1970 neither wipes the past nor counts."""
    boot = replace(up(0), at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=abs(unset)))
    window = at(since), at(200), at(200)
    assert spans([*before, boot, *after], *window) == spans([*before, *after], *window)


def test_the_first_moment_of_a_clock_that_is_set_counts() -> None:
    """And the last one before it does not."""
    since, until = MIN_VALID_TIME - timedelta(days=1), MIN_VALID_TIME + timedelta(days=1)
    counts = replace(up(0), at=MIN_VALID_TIME)
    assert uptime(spans([counts], since, until, until)) == Uptime(86_400.0, 0.0, 86_400.0)
    unset = replace(counts, at=MIN_VALID_TIME - timedelta(microseconds=1))
    assert uptime(spans([unset], since, until, until)) == Uptime(0.0, 0.0, 2 * 86_400.0)


@given(pasts(), st.integers(1, 6), st.integers(1, 30))
def test_a_slot_is_the_uptime_of_its_own_time(
    entries: list[HistoryEntry], count: int, length: int
) -> None:
    """It says what the same time says when it is asked for alone."""
    end = at(count * length)
    slots = timeline(spans(entries, at(0), end, end), at(0), end, count)
    for number, slot in enumerate(slots):
        alone = spans(entries, at(number * length), at((number + 1) * length), end)
        assert slot == uptime(alone)


@given(pasts(), st.lists(history_entries(), max_size=3))
def test_what_is_read_twice_counts_once(
    entries: list[HistoryEntry], pending: list[HistoryEntry]
) -> None:
    """A change that is written while the past is read may come from the disk and from memory."""
    run_once, twice = [*entries, *pending], [*entries, *pending, *pending]
    assert spans(run_once, at(0), at(130), at(130)) == spans(twice, at(0), at(130), at(130))


def test_an_empty_window_has_no_spans() -> None:
    """Nor one that ends before it begins."""
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
def test_shares_leave_the_unknown_out_of_the_uptime(
    total: Uptime, up_percent: float | None, unknown_percent: float
) -> None:
    """Up is a share of the known time, unknown one of the whole."""
    assert (total.up_percent, total.unknown_percent) == (up_percent, unknown_percent)


GOOD = assess(GpuInventory())
REFUSED = assess(CheckFailure(Reason.CONNECTION_REFUSED))
SLOW = assess(CheckFailure(Reason.TIMED_OUT))
STARTING = assess(CheckFailure(Reason.STARTING))
NOW = Timestamp(7.0, datetime(2026, 11, 24, tzinfo=UTC))


@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        (STARTING, GOOD, (None, Status.AVAILABLE)),
        (STARTING, REFUSED, (None, Status.UNAVAILABLE)),
        (GOOD, REFUSED, (Status.AVAILABLE, Status.UNAVAILABLE)),
        (REFUSED, SLOW, (Status.UNAVAILABLE, Status.UNAVAILABLE)),
        (REFUSED, GOOD, (Status.UNAVAILABLE, Status.AVAILABLE)),
    ],
)
def test_a_change_becomes_an_entry(
    before: BackendStatus, after: BackendStatus, statuses: tuple[Status | None, Status]
) -> None:
    """When, from, to, reason and sentence; before the first check nobody looked."""
    assert entry_for(Change(NOW, before, after)) == HistoryEntry(
        at=NOW.utc,
        before=statuses[0],
        after=statuses[1],
        reason=after.reason,
        message=after.message,
    )


def test_gpus_that_come_and_go_are_no_entry() -> None:
    """The node is as available as before."""
    assert entry_for(Change(NOW, GOOD, GOOD)) is None


def test_a_sentence_without_end_is_cut() -> None:
    """Another source of GPUs decides what its sentences are; the file stays small."""
    endless = assess(CheckFailure(Reason.TIMED_OUT, "x" * 10_000))
    entry = entry_for(Change(NOW, GOOD, endless))
    assert entry is not None
    assert len(entry.message) == 500


def test_the_windows_are_those_of_the_contract() -> None:
    """A day, a week, a month, a quarter."""
    days = {"24h": 1, "7d": 7, "30d": 30, "90d": 90}
    assert {name: timedelta(days=count) for name, count in days.items()} == WINDOWS


def test_a_long_past_is_divided_to_its_end() -> None:
    """A thousand changes, one a second: each slot has its own."""
    parts = [Span(at(n), at(n + 1), SpanState.DOWN if n % 2 else SpanState.UP) for n in range(1000)]
    slots = timeline(parts, at(0), at(1000), 10)
    assert slots == [Uptime(50.0, 50.0, 0.0)] * 10


def test_a_clock_that_shows_a_time_before_this_service_was_not_set() -> None:
    """The last second of 2024 counts for nothing, the first of 2025 does."""
    new_year = datetime(2025, 1, 1, tzinfo=UTC)
    end = new_year + timedelta(seconds=10)
    for late, known in (0, SpanState.UP), (1, SpanState.UNKNOWN):
        entry = replace(up(0), at=new_year - timedelta(seconds=late))
        assert {part.known for part in spans([entry], new_year, end, end)} == {known}
