"""The entries for times of which nothing is known: what they make of the uptime."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain import Status
from dstack_backend.domain.history import (
    NOT_KEPT,
    NOT_RUNNING,
    SET_BACK,
    HistoryEntry,
    Span,
    SpanState,
    clock_rollback_gap,
    merge_takeover,
    overflow_gap,
    restart_gap,
    spans,
    suspension_gap,
    uptime,
)
from dstack_backend.testing.strategies import history_entries, pasts
from tests.unit.history_entries import at, down, up

SECONDS = st.integers(-30, 150)


@given(pasts(), SECONDS, SECONDS)
def test_after_a_restart_the_time_in_between_is_unknown(
    entries: list[HistoryEntry], alive: int, pause: int
) -> None:
    """From the last sign of life, or the last entry, until the first check afterwards."""
    gap = restart_gap(entries[-1] if entries else None, at(alive))
    if gap is None:
        assert not entries or entries[-1].after is None
        return
    stopped = max(at(alive), entries[-1].at)
    again = stopped + timedelta(seconds=abs(pause))
    whole = [*entries, gap, up((again - at(0)).total_seconds())]
    total = uptime(spans(whole, stopped, again, again))
    assert (total.up_seconds, total.down_seconds) == (0, 0)
    assert (gap.before, gap.message, gap.known) == (
        entries[-1].after,
        NOT_RUNNING,
        SpanState.UNKNOWN,
    )


def test_a_past_without_a_sign_of_life_ends_with_its_last_entry() -> None:
    """Nothing says that we ran for longer."""
    gap = restart_gap(up(5), None)
    assert gap is not None
    assert gap.at == at(5)


def test_a_time_asleep_is_unknown_and_what_held_holds_on() -> None:
    """A machine that was suspended looked at nothing, and did not restart."""
    entries = [up(0), *suspension_gap(up(0), at(10), at(70))]
    assert spans(entries, at(0), at(100), at(100)) == [
        Span(at(0), at(10), SpanState.UP),
        Span(at(10), at(70), SpanState.UNKNOWN),
        Span(at(70), at(100), SpanState.UP),
    ]
    assert [entry.before for entry in entries] == [None, Status.AVAILABLE, None]
    assert suspension_gap(None, at(10), at(70)) == []


def test_a_clock_that_is_set_back_leaves_what_holds() -> None:
    """Whether the old time was the wrong one or the new one, nothing is up that nobody saw."""
    ahead = [up(0), down(500), *clock_rollback_gap(down(500), at(510), at(20))]
    assert spans(ahead, at(0), at(600), at(600)) == [
        Span(at(0), at(20), SpanState.UP),
        Span(at(20), at(600), SpanState.DOWN),
    ]
    unset = [up(0), *clock_rollback_gap(up(0), at(50), at(-1_700_000_000)), up(70)]
    assert spans(unset, at(0), at(100), at(100)) == [
        Span(at(0), at(50), SpanState.UP),
        Span(at(50), at(70), SpanState.UNKNOWN),
        Span(at(70), at(100), SpanState.UP),
    ]
    assert (unset[1].message, unset[1].before, unset[2].before) == (
        SET_BACK,
        Status.AVAILABLE,
        None,
    )
    assert clock_rollback_gap(None, at(50), at(0)) == []


@given(history_entries())
def test_where_entries_are_lost_nothing_is_known(first: HistoryEntry) -> None:
    """From the first of them on; what held until then is still said."""
    lost = overflow_gap(first)
    assert (lost.at, lost.before, lost.known) == (first.at, first.before, SpanState.UNKNOWN)
    assert (lost.reason, lost.message) == (None, NOT_KEPT)


def test_whoever_takes_over_tells_what_the_other_one_could_not() -> None:
    """What both saw is told once, and what holds at the take-over holds on."""
    gap = restart_gap(up(0), at(100))
    assert gap is not None
    seen = [up(10), down(50), up(120)]
    assert merge_takeover(gap, seen, at(130)) == [replace(down(100), before=None), up(120)]
    assert merge_takeover(gap, [up(100), down(120)], at(130)) == [up(100), down(120)]
    assert merge_takeover(gap, [down(99), up(100)], at(100)) == [
        replace(down(100), before=None),
        up(100),
    ]
    assert merge_takeover(gap, [], at(130)) == []


def test_a_stop_by_a_clock_that_was_ahead_is_no_take_over() -> None:
    """What was seen since the start stays as it is: it was later."""
    gap = restart_gap(up(0), at(5000))
    assert gap is not None
    assert merge_takeover(gap, [up(10), down(50)], at(60)) == [up(10), down(50)]


def test_only_a_time_in_which_we_did_not_run_is_a_stop() -> None:
    """Whatever else is said of a time of which nothing is known; and no status is one."""
    stop, after = suspension_gap(up(0), at(1), at(2))
    assert stop.is_stop
    for other in (NOT_KEPT, SET_BACK, "Never", "Not running: z", ""):
        assert not replace(stop, message=other).is_stop
    assert not replace(after, message=NOT_RUNNING).is_stop
