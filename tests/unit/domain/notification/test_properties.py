"""Properties of what is told, for any timeline and policy."""

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given
from msgspec.structs import replace

from dstack_backend.domain import Reason
from dstack_backend.domain.history import EntryKind, HistoryEntry, StoredHistory
from dstack_backend.domain.notification import EventKind, NotifyPolicy, resume
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fakes import ORIGIN
from tests.unit.domain.notification.timeline import Timeline, gpu, moment, stale
from tests.unit.history_entries import at, down, gap, up

PAUSES = st.sampled_from([0, 1, 5, 20, 59, 60, 61, 299, 300, 301, 1801, 4000])
KINDS = st.sampled_from(["up", "down", "stale", "lost", "found", "replaced"])
POLICIES = st.builds(
    NotifyPolicy, after=st.sampled_from([0, 5, 60, 400]), every=st.sampled_from([1, 60, 300, 5000])
)


def entry_of(kind: str, second: float) -> HistoryEntry:
    """Return the entry of a kind."""
    status = {"up": up, "down": down, "stale": stale, "gap": gap}
    if kind in status:
        return status[kind](second)
    return gpu(EntryKind(f"gpu_{kind}"), second, None if kind == "replaced" else 0)


@st.composite
def timelines(
    draw: st.DrawFn, kinds: st.SearchStrategy[str] = KINDS, start: float = 0
) -> list[HistoryEntry]:
    """Return entries in the order of time."""
    steps = draw(st.lists(st.tuples(PAUSES, kinds), max_size=40))
    entries: list[HistoryEntry] = []
    second = start
    for pause, kind in steps:
        second += pause
        entries.append(entry_of(kind, second))
    return entries


def run(entries: list[HistoryEntry], policy: NotifyPolicy) -> Timeline:
    """Return the timeline of a process, up to long after the last entry."""
    timeline = Timeline(policy)
    timeline.add([*entries, up(200_000)])
    timeline.pass_until(400_000)
    return timeline


@given(timelines(), POLICIES)
def test_batches_are_never_closer_than_every(
    entries: list[HistoryEntry], policy: NotifyPolicy
) -> None:
    """And none is empty or without a bound."""
    batches = run(entries, policy).batches
    assert all(later - earlier >= policy.every for (earlier, _), (later, _) in pairwise(batches))
    assert all(0 < len(events) <= 102 for _, events in batches)


@given(timelines(), POLICIES)
def test_each_outage_that_is_told_gets_exactly_one_end(
    entries: list[HistoryEntry], policy: NotifyPolicy
) -> None:
    """The end comes after the begin, and no begin after another one without an end between."""
    events = [each for _, batch in run(entries, policy).batches for each in batch]
    begins = [each.at for each in events if each.kind is EventKind.UNAVAILABLE]
    ends = [each.since for each in events if each.kind is EventKind.AVAILABLE]
    assert all(ends.count(each) == 1 for each in begins)
    assert len(set(ends)) == len(ends)


@given(timelines(), POLICIES)
def test_short_outages_are_told_as_flapping_only(
    entries: list[HistoryEntry], policy: NotifyPolicy
) -> None:
    """A stale status is another matter: it is told at once."""
    steady = [each for each in entries if each.reason is not Reason.STALE]
    for _, batch in run(steady, policy).batches:
        for event in batch:
            if event.kind is EventKind.AVAILABLE:
                assert event.seconds is not None
                assert event.seconds >= policy.after
            if event.kind is EventKind.FLAPPING:
                assert event.count >= 3


@given(timelines(), POLICIES)
def test_every_gpu_event_is_told(entries: list[HistoryEntry], policy: NotifyPolicy) -> None:
    """There are fewer than can wait."""
    events = [each for _, batch in run(entries, policy).batches for each in batch]
    happened = [each for each in entries if each.gpu]
    assert len([each for each in events if each.gpu]) == len(happened)


@given(timelines(), timelines(start=200_000), POLICIES)
def test_restart_loses_nothing_and_repeats_nothing(
    before: list[HistoryEntry], later: list[HistoryEntry], policy: NotifyPolicy
) -> None:
    """Two processes in turn tell what one tells, where the restart takes no time."""
    end = before[-1] if before else up(0)
    stop = moment(end)
    one = Timeline(policy)
    one.add(before)
    one.pass_until(stop.monotonic - ORIGIN)
    one.batches.clear()
    resumed = resume(StoredHistory(before, stop.utc), stop, policy)
    outage = one.state.outage if one.state.outage and one.state.outage.is_told else None
    assert resumed == replace(one.state, outage=outage)
    two = Timeline(policy, resumed)
    two.pass_until(stop.monotonic - ORIGIN)
    assert two.batches == []
    one.state = resumed
    for each in (one, two):
        each.add(later)
        each.pass_until(400_000)
    assert one.batches == two.batches


@given(
    timelines(st.sampled_from(["up", "down", "stale", "lost", "found", "gap"])),
    st.floats(-1e9, 1e9),
    st.floats(-1e9, 1e9),
    POLICIES,
)
def test_any_history_and_any_clock_can_be_resumed(
    entries: list[HistoryEntry], alive_at: float, now: float, policy: NotifyPolicy
) -> None:
    """Also one whose times are in the future, or not in order."""
    shuffled = sorted(entries, key=lambda each: str(each.kind))
    state = resume(StoredHistory(shuffled, at(alive_at)), Timestamp(ORIGIN, at(now)), policy)
    assert state.last_taken is None or state.last_taken <= ORIGIN
    assert len(state.waiting) <= 100
