"""What is told of a timeline, and when."""

import pytest
from msgspec.structs import replace

from dstack_backend.domain import Reason
from dstack_backend.domain.history import EntryKind, HistoryEntry
from dstack_backend.domain.notification import Event, EventKind, NotifyPolicy, NotifyState, take
from tests.unit.domain.notification.timeline import SLOT, Timeline, gpu, stale, told
from tests.unit.history_entries import at, down, gap, up

LOST, FOUND, REPLACED = EntryKind.GPU_LOST, EntryKind.GPU_FOUND, EntryKind.GPU_REPLACED


def test_long_outage_is_told_after_a_minute_and_its_end_with_the_duration() -> None:
    """The end comes at once, as the last message is long ago."""
    batches = told(up(0), down(10), up(1000))
    assert batches == [(70, ["unavailable"]), (1000, ["available 990"])]


def test_outage_that_ends_in_time_is_not_told() -> None:
    """`after` itself is not in time: it was due then."""
    assert told(up(0), down(10), up(69.9)) == []
    assert told(up(0), down(10), up(70)) == [(70, ["unavailable"]), (370, ["available 60"])]


def test_node_that_is_unavailable_from_the_start_is_told() -> None:
    """The first check failed."""
    assert told(down(1)) == [(61, ["unavailable"])]


def test_stale_checks_are_told_at_once() -> None:
    """Also where the outage began with another reason."""
    assert told(up(0), stale(35)) == [(35, ["unavailable"])]
    assert told(down(10), stale(20)) == [(20, ["unavailable"])]


def test_stale_checks_that_were_not_told_in_time_are_a_short_outage() -> None:
    """The message before was less than `every` seconds ago."""
    assert told(gpu(LOST, 0, 0), stale(10), up(20)) == [(0, ["gpu_lost"])]


def test_another_reason_of_the_same_outage_is_not_told() -> None:
    """The end names the last one."""
    timeline = Timeline()
    timeline.add([down(0), replace(down(100), reason=Reason.UNAUTHORIZED), up(1000)])
    timeline.pass_until(5000)
    ((_, (begin,)), (_, (end,))) = timeline.batches
    assert begin == Event(kind=EventKind.UNAVAILABLE, at=at(0), reason=Reason.TIMED_OUT)
    assert end.reason is Reason.UNAUTHORIZED
    assert (end.at, end.since) == (at(1000), at(0))


def test_outage_that_ended_before_it_could_be_told_is_told_as_one_event() -> None:
    """The message before was less than `every` seconds ago."""
    batches = told(gpu(LOST, 0, 0), down(10), up(80))
    assert batches == [(0, ["gpu_lost"]), (300, ["available 70"])]


def test_third_short_outage_in_a_row_is_told() -> None:
    """And then no more than one batch in five minutes."""
    row = [entry for second in range(0, 900, 20) for entry in (down(second), up(second + 5))]
    assert told(*row) == [
        (45, ["flapping x3"]),
        (345, ["flapping x14"]),
        (645, ["flapping x15"]),
        (945, ["flapping x13"]),
    ]


def test_flapping_event_names_the_first_and_the_last_outage() -> None:
    """By when they began."""
    timeline = Timeline()
    timeline.add([down(0), up(1), down(100), up(101), down(200), up(201)])
    timeline.pass_until(300)
    ((second, (event,)),) = timeline.batches
    assert (second, event.since, event.at, event.count) == (201, at(0), at(200), 3)


def test_short_outages_with_long_pauses_are_no_flapping() -> None:
    """Half an hour ends the row."""
    assert told(down(0), up(5), down(10), up(15), down(1810.1), up(1815)) == []
    assert told(down(0), up(5), down(10), up(15), down(1810), up(1815)) != []


def test_row_that_is_to_be_told_does_not_end() -> None:
    """However late the next outage is."""
    policy = NotifyPolicy(every=5000)
    row = [entry for second in (10, 20, 30, 2000) for entry in (down(second), up(second + 1))]
    assert told(gpu(LOST, 0, 0), *row, policy=policy) == [
        (0, ["gpu_lost"]),
        (5000, ["flapping x4"]),
    ]


def test_lost_and_returned_gpus_are_told_at_once_with_the_duration() -> None:
    """The loss has the time of the last listing."""
    timeline = Timeline()
    timeline.add([gpu(LOST, 100, 89), gpu(FOUND, 600, 89)])
    timeline.pass_until(600)
    ((first, (lost,)), (second, (returned,))) = timeline.batches
    assert (first, second) == (100, 600)
    assert (lost.kind, lost.at, lost.since) == (EventKind.GPU_LOST, at(100), at(89))
    assert (returned.kind, returned.seconds) == (EventKind.GPU_RETURNED, 511)
    assert lost.gpu
    assert lost.gpu.slot == SLOT


def test_replaced_gpu_is_told_and_a_new_one_is_not() -> None:
    """A card was exchanged, or is not what it was; a new one was installed on purpose."""
    assert told(gpu(REPLACED, 5)) == [(5, ["gpu_replaced"])]
    assert told(gpu(FOUND, 5), gpu(EntryKind.GPU_ALLOCATED, 6)) == []


def test_what_happens_after_a_batch_waits_for_the_next_one() -> None:
    """An outage that began in between is in it."""
    batches = told(gpu(LOST, 0, 0), gpu(FOUND, 10, 0), down(20), gpu(LOST, 290, 280), up(1000))
    assert batches == [
        (0, ["gpu_lost"]),
        (300, ["gpu_returned 10", "gpu_lost", "unavailable"]),
        (1000, ["available 980"]),
    ]


def test_gap_ends_an_outage_that_was_not_told() -> None:
    """How long it lasted is not known. One that was told is still there after it."""
    assert told(down(0), gap(50), down(55)) == [(115, ["unavailable"])]
    assert told(down(0), gap(70), down(75), up(400)) == [
        (60, ["unavailable"]),
        (400, ["available 400"]),
    ]


def test_nothing_is_taken_before_it_is_due() -> None:
    """The state is the same."""
    state = NotifyState()
    assert take(state, 0, NotifyPolicy()) == (state, ())


@pytest.mark.parametrize("entry", [up(0), gap(0), gpu(FOUND, 0)])
def test_what_is_normal_is_not_told(entry: HistoryEntry) -> None:
    """A service that starts, or stops, and a new GPU."""
    assert told(entry) == []


def test_events_that_wait_are_bounded() -> None:
    """The last ones stay."""
    timeline = Timeline(NotifyPolicy(every=86_400))
    timeline.add([gpu(LOST, 0, 0), *(gpu(LOST, second, 0) for second in range(1, 1000))])
    timeline.pass_until(86_400)
    _, (_, events) = timeline.batches
    assert len(events) == 100
    assert events[-1].at == at(999)
