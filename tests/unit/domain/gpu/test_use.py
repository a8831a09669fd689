"""The time in use: exact sums by slot and half hour, whatever the clocks say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from dstack_backend.domain.gpu import GpuState, UsePeriod, UseRecord, UseShare
from dstack_backend.domain.gpu.state import TrackedGpu, keyed
from dstack_backend.domain.gpu.use import MAX_SLOTS
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.gpu.gpu_events import gpu, h200

HALF_HOUR = timedelta(minutes=30)
FIRST = int(EPOCH.timestamp()) // 1800
A, B = "3b:00.0", "9b:00.0"


def span(end: datetime, seconds: float, *slots: str, used: str = "") -> GpuState:
    """Return the state of a check that ends a known time with these GPUs."""
    tracked = tuple(TrackedGpu(each, EPOCH) for each in h200(*slots, used=used))
    return GpuState(seen_at=end, counted=seconds, used=keyed(tracked))


def stored(record: UseRecord) -> dict[int, dict[str, tuple[float, float]]]:
    """Return all that is recorded."""
    return {each.number: each.slots for each in record.periods(record.all_numbers())}


@st.composite
def spans(draw: DrawFn) -> list[GpuState]:
    """Return known times of up to two hours, with one to three GPUs, and pauses between them."""
    end, found = EPOCH, list[GpuState]()
    for _ in range(draw(st.integers(0, 8))):
        seconds = draw(st.integers(0, 7200))
        end += timedelta(seconds=seconds + draw(st.sampled_from((0, 600, 86_400))))
        slots = draw(st.lists(st.sampled_from((A, B, "")), unique=True))
        found.append(span(end, seconds, *slots, used=draw(st.sampled_from((A, B, "none")))))
    return found


@given(spans(), st.sampled_from((0, 60, 5000, 86_400)))
def test_shares_are_those_of_each_second(states: list[GpuState], later: int) -> None:
    """Each known second counts in the half hour in which it is, and in the windows around it."""
    record, seconds = UseRecord(), dict[tuple[str, int], bool]()
    for state in states:
        record.add(state)
        end = int(state.seen_at.timestamp())
        for each in state.used.values():
            for second in range(end - int(state.counted), end):
                seconds[each.gpu.slot, second] = each.gpu.is_free
    now = (states[-1].seen_at if states else EPOCH) + timedelta(seconds=later)
    use = record.shares(now)
    assert use.slots.keys() == {slot for slot, _ in seconds} == use.strips.keys()
    for slot, shares in use.slots.items():
        for name, hours in ("24h", 24), ("7d", 7 * 24), ("30d", 30 * 24):
            start = (int(now.timestamp()) // 1800 + 1) * 1800 - hours * 3600
            known = [free for (each, at), free in seconds.items() if each == slot and at >= start]
            share = shares[name]
            assert share.free_seconds == pytest.approx(sum(known))
            assert share.in_use_seconds == pytest.approx(len(known) - sum(known))
            assert share.unknown_seconds == pytest.approx(now.timestamp() - start - len(known))
        strip, day = use.strips[slot], shares["24h"]
        assert len(strip) == 48
        assert sum(each.in_use_seconds for each in strip) == pytest.approx(day.in_use_seconds)
        assert sum(each.unknown_seconds for each in strip) == pytest.approx(day.unknown_seconds)
    for name, share in use.node.items():
        total = [shares[name].in_use_seconds for shares in use.slots.values()]
        assert share.in_use_seconds == pytest.approx(sum(total))


@given(spans(), st.integers(0, 8))
def test_restored_record_continues(states: list[GpuState], number: int) -> None:
    """What an earlier process recorded is added to."""
    whole, earlier, later = UseRecord(), UseRecord(), UseRecord()
    for state in states:
        whole.add(state)
    for state in states[:number]:
        earlier.add(state)
    for state in states[number:]:
        later.add(state)
    later.restore(earlier.periods(earlier.all_numbers()))
    assert stored(later) == stored(whole)


def test_known_time_is_divided_at_the_half_hour() -> None:
    """Both periods differ from what is stored then."""
    record = UseRecord()
    record.add(span(EPOCH + timedelta(seconds=3), 10, A, used=A))
    assert stored(record) == {FIRST - 1: {A: (7, 0)}, FIRST: {A: (3, 0)}}
    assert record.changed == {FIRST - 1, FIRST}


def test_only_the_first_gpu_of_a_slot_is_recorded() -> None:
    """Two in one slot would be more than the time."""
    record = UseRecord()
    tracked = (TrackedGpu(gpu(A), EPOCH), TrackedGpu(gpu(A, is_free=False), EPOCH, 1))
    record.add(GpuState(seen_at=EPOCH + HALF_HOUR / 2, counted=10.0, used=keyed(tracked)))
    assert stored(record) == {FIRST: {A: (0, 10)}}


@pytest.mark.parametrize(
    "state",
    [span(EPOCH, 0, A), span(datetime(2024, 12, 31, tzinfo=UTC), 10, A)],
    ids=["no known time", "clock that is not set"],
)
def test_what_is_not_known_is_not_recorded(state: GpuState) -> None:
    """Nothing is to be saved."""
    record = UseRecord()
    record.add(state)
    assert (stored(record), record.changed) == ({}, set())


def test_nothing_is_known_of_a_record_that_is_empty() -> None:
    """It counts as unknown, not as free."""
    share = UseRecord().shares(EPOCH).node["24h"]
    assert (share.in_use_percent, share.unknown_percent) == (None, 100.0)


def test_percentages() -> None:
    """Of the known time, and of the whole time."""
    share = UseShare(30.0, 10.0, 60.0)
    assert (share.in_use_percent, share.unknown_percent) == (75.0, 60.0)


@given(st.integers(1, 10**13))
def test_one_state_alone_is_exactly_100_percent(microseconds: int) -> None:
    """A GPU that was always in use must not show 99.99 %."""
    seconds = microseconds / 1e6
    assert UseShare(seconds, 0.0, 5.0).in_use_percent == 100.0
    assert UseShare(0.0, 0.0, seconds).unknown_percent == 100.0


def fill(record: UseRecord, periods: int, *slots: str) -> None:
    """Record a minute in each of so many half hours."""
    for number in range(periods):
        record.add(span(EPOCH + number * HALF_HOUR + HALF_HOUR / 2, 60, *slots))


def test_record_covers_30_days() -> None:
    """The half hour that is dropped is to be deleted from the store."""
    record = UseRecord()
    fill(record, 1440, A)
    record.changed.clear()
    record.add(span(EPOCH + 1440 * HALF_HOUR + HALF_HOUR / 2, 60, A))
    assert record.changed == {FIRST, FIRST + 1440}
    assert record.periods([FIRST]) == [UsePeriod(FIRST, {})]
    assert len(record.all_numbers()) == 1440


@pytest.mark.parametrize("error", [timedelta(days=3650), -timedelta(days=300)])
def test_clock_that_is_wrong_for_hours_deletes_no_more_than_that(error: timedelta) -> None:
    """Afterwards its own half hours are dropped first, and do not count."""
    record = UseRecord()
    fill(record, 1440, A)
    end = EPOCH + 1440 * HALF_HOUR
    for number in range(6):
        record.add(span(end + error + number * HALF_HOUR + HALF_HOUR / 2, 60, A, used=A))
    share = record.shares(end).slots[A]["30d"]
    assert share.free_seconds >= (1440 - 7) * 60
    assert share.in_use_seconds == 0
    for number in range(6):
        record.add(span(end + number * HALF_HOUR + HALF_HOUR / 2, 60, A))
    right = range(FIRST, FIRST + 1446)
    assert set(record.all_numbers()) <= set(right)
    assert len(record.all_numbers()) == 1440


def test_clock_that_is_set_back_leaves_no_negative_time() -> None:
    """Known time may be counted twice; the share of use is still between 0 and 100 %."""
    record = UseRecord()
    for _ in range(3):
        record.add(span(EPOCH + HALF_HOUR / 2, 600, A, used=A))
    share = record.shares(EPOCH + HALF_HOUR / 2).slots[A]["24h"]
    assert share.in_use_percent == 100.0
    assert min(share.unknown_seconds, record.shares(EPOCH).strips[A][-1].unknown_seconds) >= 0


def test_slots_are_bounded() -> None:
    """Those that were listed first are recorded."""
    slots = [f"{number:03}" for number in range(1000)]
    record = UseRecord()
    fill(record, 2, *slots)
    assert list(record.shares(EPOCH).slots) == slots[:MAX_SLOTS]
    assert all(list(each) == slots[:MAX_SLOTS] for each in stored(record).values())


def test_slot_that_no_half_hour_contains_makes_room() -> None:
    """After 30 days; the others keep what they have."""
    slots = [f"{number:03}" for number in range(MAX_SLOTS)]
    record = UseRecord()
    fill(record, 1, *slots)
    for number in range(1, 1440):
        record.add(span(EPOCH + number * HALF_HOUR + HALF_HOUR / 2, 60, *slots[2:]))
    record.add(span(EPOCH + 1440 * HALF_HOUR - timedelta(seconds=1), 60, "new"))
    assert "new" not in record.shares(EPOCH).slots
    for number in 1440, 1441:
        record.add(span(EPOCH + number * HALF_HOUR + HALF_HOUR / 2, 60, "new", *slots[2:]))
    use = record.shares(EPOCH + 1442 * HALF_HOUR - timedelta(seconds=1))
    assert use.slots.keys() == {"new", *slots[2:]}
    assert use.slots["new"]["30d"].free_seconds == 60
    assert use.slots["002"]["30d"].free_seconds == 1440 * 60
    again = UseRecord()
    again.restore(record.periods(record.all_numbers()))
    assert stored(again) == stored(record)


def test_restored_periods_and_slots_are_bounded() -> None:
    """A file may have been written by another version."""
    slots = {f"{number:03}": (1.0, 2.0) for number in range(100)}
    record = UseRecord()
    record.restore([UsePeriod(number, slots) for number in range(2000)])
    assert len(record.all_numbers()) == 1440
    assert all(len(each) == MAX_SLOTS for each in stored(record).values())
