"""Gap entries and the joining of histories, and what they make of the uptime."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain import Status, Timestamp
from dstack_backend.domain.history import (
    GapCause,
    HistoryEntry,
    Span,
    SpanState,
    StoredHistory,
    interruption,
    last_shared,
    merge_takeover,
    restart_gap,
    spans,
    uptime,
)
from dstack_backend.testing.strategies import entry_lists
from tests.unit.history_entries import at, down, gap, up

SECONDS = st.integers(-30, 150)
REPLACED, STOPPED = GapCause.REPLACED, GapCause.STOPPED


@given(entry_lists(), SECONDS, SECONDS)
def test_time_between_stop_and_restart_is_unknown(
    entries: list[HistoryEntry], alive: int, pause: int
) -> None:
    """From the last sign of life, or the last entry, until the first check afterwards."""
    stop = restart_gap(StoredHistory(entries, at(alive)))
    if stop is None:
        assert not entries or entries[-1].after is None
        return
    stopped = max(at(alive), entries[-1].at)
    again = stopped + timedelta(seconds=abs(pause))
    whole = [*entries, stop, up((again - at(0)).total_seconds())]
    total = uptime(spans(whole, stopped, again, again))
    assert (total.up_seconds, total.down_seconds) == (0, 0)
    assert (stop.before, stop.gap, stop.state) == (entries[-1].after, STOPPED, SpanState.UNKNOWN)


def test_history_without_sign_of_life_ends_with_its_last_entry() -> None:
    """Nothing shows that the service ran for longer."""
    assert restart_gap(StoredHistory([up(5)])) == replace(gap(5, STOPPED), before=Status.AVAILABLE)


def interrupt(current: HistoryEntry | None, seen: float, now: float) -> list[HistoryEntry]:
    """Return the interruption where the monotonic clock advanced by 10 s."""
    return interruption(current, Timestamp(100, at(seen)), Timestamp(110, at(now)))


def test_suspension_is_a_gap_and_the_status_holds_after_it() -> None:
    """There were no checks while the machine was suspended, and the process did not restart."""
    entries = [up(0), *interrupt(up(0), 10, 70)]
    assert entries[1].gap is GapCause.SUSPENDED
    assert spans(entries, at(0), at(100), at(100)) == [
        Span(at(0), at(10), SpanState.UP),
        Span(at(10), at(70), SpanState.UNKNOWN),
        Span(at(70), at(100), SpanState.UP),
    ]
    assert [entry.before for entry in entries] == [None, Status.AVAILABLE, None]


def test_clock_set_back_leaves_the_status() -> None:
    """Whether the old time or the new one was wrong, no time counts as up without a check."""
    ahead = [up(0), down(500), *interrupt(down(500), 510, 20)]
    assert spans(ahead, at(0), at(600), at(600)) == [
        Span(at(0), at(20), SpanState.UP),
        Span(at(20), at(600), SpanState.DOWN),
    ]
    unset = [up(0), *interrupt(up(0), 50, -1_700_000_000), up(70)]
    assert spans(unset, at(0), at(100), at(100)) == [
        Span(at(0), at(50), SpanState.UP),
        Span(at(50), at(70), SpanState.UNKNOWN),
        Span(at(70), at(100), SpanState.UP),
    ]
    assert (unset[1].gap, unset[1].before, unset[2].before) == (
        GapCause.CLOCK_SET_BACK,
        Status.AVAILABLE,
        None,
    )


@pytest.mark.parametrize(
    ("now", "cause"),
    [
        (40.001, GapCause.SUSPENDED),
        (40, None),
        (10, None),
        (-20, None),
        (-20.001, GapCause.CLOCK_SET_BACK),
    ],
)
def test_clock_corrected_by_at_most_30_s_is_no_interruption(
    now: float, cause: GapCause | None
) -> None:
    """Ten seconds passed on the monotonic clock; the wall clock shows `now`."""
    assert [entry.gap for entry in interrupt(up(0), 0, now)][:1] == [cause][: cause is not None]


def test_interruption_before_the_first_entry_is_none() -> None:
    """There is no status that could hold."""
    assert interrupt(None, 0, 1000) == []
    assert interrupt(None, 0, -1000) == []


def continued(
    stored: list[HistoryEntry],
    alive: float | None,
    own: list[HistoryEntry],
    now: float = 130,
    shared: int = 0,
) -> list[HistoryEntry]:
    """Return the entries that continue a store."""
    history = StoredHistory(stored, None if alive is None else at(alive))
    return merge_takeover(history, own, at(now), REPLACED, shared)


STOP = replace(gap(100, REPLACED), before=Status.AVAILABLE)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], [STOP]),
        ([up(101), down(120)], [STOP, up(101), down(120)]),
        ([up(100), down(120)], [STOP, up(100), down(120)]),
        ([up(10), down(50), up(120)], [down(100), up(120)]),
        ([down(99), up(100)], [down(100), up(100)]),
        ([down(20), up(50), down(120)], [down(120)]),
        ([down(20), up(50)], []),
        ([up(20), gap(50, GapCause.SUSPENDED), up(120)], [STOP, up(120)]),
    ],
    ids=[
        "nothing seen",
        "seen later",
        "seen from the takeover on",
        "another status held",
        "changed at the takeover",
        "the same status held, then it changed",
        "the same status held",
        "suspended at the takeover",
    ],
)
def test_takeover_continues_the_store_with_what_held(
    own: list[HistoryEntry], expected: list[HistoryEntry]
) -> None:
    """The store holds `up` until second 100, the entries of this process from then on."""
    numbered = [replace(entry, number=number) for number, entry in enumerate(own, start=1)]
    found = [replace(entry, number=0) for entry in continued([up(0)], 100, numbered)]
    assert found == expected


def test_takeover_of_a_store_that_ends_with_a_gap_adds_no_other() -> None:
    """What held is repeated at the last sign of life."""
    stored = [up(0), gap(50, STOPPED)]
    assert continued(stored, 100, [down(120, 1)]) == [down(120, 1)]
    assert continued(stored, 100, [down(60, 1)]) == [down(100, 1)]
    assert continued(stored, None, [down(60, 1)]) == [down(60, 1)]


def test_takeover_does_not_repeat_shared_entries() -> None:
    """Entries up to the last shared one are in the store already."""
    own = [up(0, 1), down(150, 2), up(110, 3)]
    assert continued([up(0, 1), down(150, 2), up(90, 3)], 100, own, shared=2) == [up(110, 3)]


def test_store_with_a_clock_ahead_takes_no_entry_away() -> None:
    """Its last sign of life is later than the present: all entries of this process are kept."""
    ahead = replace(STOP, at=at(5000))
    own = [up(10, 1), down(50, 2)]
    assert continued([up(0)], 5000, own, now=60) == [ahead, *own]
    assert continued([up(0)], 5000, own, now=60, shared=2) == [ahead, down(60, 2)]
    longer = [down(5, 1), up(10, 2), down(50, 3)]
    assert continued([up(0)], 5000, longer, now=60, shared=3) == [ahead, down(60, 3)]
    assert continued([up(0)], 5000, [], now=60) == [ahead]


def test_two_processes_with_different_clocks_do_not_fill_the_store() -> None:
    """Each sees that the other wrote, at a time ahead of its own, and has nothing to add."""
    assert continued([down(0), up(90, 2)], 5000, [up(10, 1)], now=60, shared=1) == []


@given(entry_lists(), st.integers(0, 12), st.integers(0, 12))
def test_last_shared_is_the_end_of_the_common_entries(
    entries: list[HistoryEntry], common: int, damaged: int
) -> None:
    """Whatever was written after them; a damaged message makes no difference."""
    own = [replace(entry, number=number) for number, entry in enumerate(entries, start=1)]
    stored = [
        replace(entry, message="\ufffd") if entry.number == damaged else entry
        for entry in own[:common]
    ]
    foreign = [replace(entry, at=entry.at + timedelta(days=1)) for entry in own[common:]]
    assert last_shared([*stored, *foreign], own) == len(stored)
    assert last_shared(foreign, []) == 0
