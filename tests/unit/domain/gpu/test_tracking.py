"""What becomes of GPUs from check to check. A check is due every 10 s unless a test says else."""

from datetime import timedelta

import pytest

from dstack_backend.domain import (
    Gpu,
    GpuInventory,
    Timestamp,
)
from dstack_backend.domain.gpu import GpuState, MissingGpu, StoredGpus, TrackedGpu, restore, track
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.gpu.gpu_events import MAX_GAP, START, good, gpu, h200, lost, state_after
from tests.unit.domain.gpu.gpu_model import Failed, Good

A, B, C = "3b:00.0", "9b:00.0", "c1:00.0"
FULL = h200(A, B, C)
SHORT = h200(A, B)
DAY = 86_400.0
SECOND = timedelta(seconds=1)


LOSE = (good(0, *FULL), good(10, *SHORT), good(11, *SHORT))
"""The checks that lose a GPU."""


def test_loss_is_confirmed_by_the_second_check_1_s_later() -> None:
    """Until then the GPU is present, and the check before was the last that listed it."""
    first = state_after(good(0, *FULL), good(10, *SHORT))
    assert first.needs_confirmation
    assert (first.changes, first.missing, first.count) == ((), {}, 3)
    second = state_after(good(11, *SHORT), state=first)
    assert not second.needs_confirmation
    assert lost(second) == [(C, EPOCH)]
    assert second.missing == {(C, 0): MissingGpu(gpu(C), EPOCH)}
    assert (second.count, second.is_degraded, second.unconfirmed) == (2, True, {})


def test_list_that_is_short_once_changes_nothing() -> None:
    """As lspci may fail half-way."""
    state = state_after(good(0, *FULL), good(10, *SHORT), good(11, *FULL))
    assert (state.changes, state.missing, state.is_degraded) == ((), {}, False)
    assert {each.since for each in state.present.values()} == {EPOCH}


def test_failure_between_two_short_lists_begins_anew() -> None:
    """It is last seen when it was listed, not when the first short list came."""
    state = state_after(good(0, *FULL), good(10, *SHORT), Failed(), good(12, *SHORT))
    assert (state.changes, state.missing, state.needs_confirmation) == ((), {}, False)
    assert lost(state_after(good(13, *SHORT), state=state)) == [(C, EPOCH)]


def test_gpu_that_returns_is_found_and_was_missing_since() -> None:
    """It is not missing any more, and since then what it is."""
    state = state_after(*LOSE, good(20, *FULL))
    (change,) = state.changes
    assert (change.kind, change.gpu.slot, change.last_seen) == ("found", C, EPOCH)
    assert change.has_returned
    assert (state.missing, state.is_degraded) == ({}, False)
    assert state.present[C, 0].since == EPOCH + timedelta(seconds=20)


def test_other_gpu_in_the_slot_of_a_missing_one_replaces_it() -> None:
    """The missing one has not returned, but its slot has a GPU."""
    state = state_after(*LOSE, good(20, *SHORT, gpu(C, "10de:2331")))
    (change,) = state.changes
    assert (change.kind, change.before, change.last_seen) == ("replaced", gpu(C), EPOCH)
    assert state.missing == {}


def test_use_is_a_change_and_a_description_is_none() -> None:
    """The description comes from the host's PCI id list, which may be updated."""
    renamed = Gpu(slot=A, product_id="10de:2335", description="GH100", is_free=True)
    state = state_after(good(0, *FULL), good(10, renamed, *h200(B, C, used=B)))
    assert [(each.kind, each.gpu.slot) for each in state.changes] == [("allocated", B)]
    assert state.present[A, 0] == TrackedGpu(renamed, EPOCH)
    assert state.present[B, 0].since == EPOCH + timedelta(seconds=10)
    released = state_after(good(20, *FULL), state=state)
    assert [(each.kind, each.gpu.slot) for each in released.changes] == [("released", B)]


def test_gpus_of_the_same_slot_are_counted() -> None:
    """One of two is lost; GPUs without a slot are GPUs as well."""
    state = state_after(good(0, *h200(A, A, "")), good(10, *h200(A)), good(11, *h200(A)))
    assert {key: each.number for key, each in state.missing.items()} == {("", 0): 0, (A, 1): 1}


@pytest.mark.parametrize("count", [1024, 1025, 20_000])
def test_tracked_gpus_are_bounded(count: int) -> None:
    """The same are tracked in any order; lost ones make room for others."""
    slots = [f"{number:05}" for number in range(count)]
    state = state_after(good(0, *h200(*slots)), good(10, *h200(*reversed(slots))))
    assert (state.count, state.changes) == (1024, ())
    others = h200(*(f"x{number}" for number in range(count)))
    gone = state_after(good(20, *others), good(21, *others), good(31, *others), state=state)
    assert (len(gone.present), len(gone.missing)) == (1024, 1024)
    assert all(slot.startswith("x") for slot, _ in gone.present)


def test_missing_gpus_are_bounded() -> None:
    """Those that were lost first are dropped."""
    state: GpuState | None = None
    for number in range(4):
        gpus = h200(*(f"{number}-{each}" for each in range(600)))
        state = state_after(good(20 * number, *gpus), good(20 * number + 1, *gpus), state=state)
        assert state.count <= 1024
    assert state
    assert len(state.missing) == 1024
    assert ("0-0", 0) not in state.missing


def test_returning_gpus_have_precedence_where_there_is_no_room() -> None:
    """Nothing is missing and listed at once."""
    lists = h200(A, *(f"x{number}" for number in range(1023)))
    state = state_after(good(0, *lists), good(10, *lists[1:]), good(11, *lists[1:]))
    assert list(state.missing) == [(A, 0)]
    back = state_after(good(20, *h200("0", "1"), *lists), state=state)
    assert (back.missing, len(back.present)) == ({}, 1024)
    assert (A, 0) in back.present


@pytest.mark.parametrize("text", ["x" * 100_000, "\x00\x1b[31m<b>", "caf\udce9", "😀" * 5_000])
def test_hostile_texts_are_bounded_and_can_be_encoded(text: str) -> None:
    """They are neither lost nor found from check to check."""
    hostile = Gpu(slot=text, product_id=text, description=text, is_free=True)
    state = state_after(good(0, hostile), good(10, hostile, hostile), good(20, hostile))
    (tracked,) = [each.gpu for key, each in state.present.items() if key[1] == 0]
    assert len(tracked.slot) <= 40
    assert max(len(tracked.product_id), len(tracked.description)) <= 200
    assert (tracked.slot + tracked.product_id + tracked.description).encode()


@pytest.mark.parametrize(
    ("last_seen", "now", "steady", "is_kept"),
    [
        pytest.param(0, 30 * DAY, 3600, True, id="30 days"),
        pytest.param(0, 30 * DAY + 1, 3600, False, id="more than 30 days"),
        pytest.param(0, 31 * DAY, 3599, True, id="the clock was set less than an hour ago"),
        pytest.param(0, -400 * DAY, 3600, True, id="the clock is behind"),
        pytest.param(0, -(20 * 365) * DAY, 3600, True, id="the clock is not set"),
        pytest.param(-(20 * 365) * DAY, 0, 3600, True, id="the clock was not set then"),
    ],
)
def test_missing_gpu_expires_by_a_clock_that_runs(
    last_seen: float, now: float, steady: float, *, is_kept: bool
) -> None:
    """Two good checks of this process: one after the clock was set, and one later."""
    seen_at, present = (EPOCH + timedelta(seconds=each) for each in (last_seen, now))
    stored = StoredGpus(missing=(MissingGpu(gpu(C), seen_at),))
    first = Good(Timestamp(5.0, present - timedelta(seconds=steady)), SHORT)
    last = Good(Timestamp(5.0 + steady, present), SHORT)
    state = state_after(first, last, state=restore(None, stored, seen_at))
    assert ((C, 0) in state.missing) == is_kept
    assert state.is_degraded == is_kept


@pytest.mark.parametrize(("jump", "is_kept"), [(30.0, False), (31.0, True), (-31.0, True)])
def test_clock_that_is_set_counts_no_days_for_an_hour(jump: float, *, is_kept: bool) -> None:
    """A correction of 30 s is none."""
    first, last = START + 40 * DAY, START + 40 * DAY + 3600
    set_clock = Timestamp(last.monotonic, last.utc + timedelta(seconds=jump))
    state = restore(None, state_after(*LOSE).stored, EPOCH)
    state = state_after(Good(first, SHORT), Good(set_clock, SHORT), state=state)
    assert ((C, 0) in state.missing) == is_kept


def test_known_time_needs_a_clock_that_moves() -> None:
    """Two checks at the same moment, and two that are too far apart, add none."""
    first = track(None, GpuInventory(gpus=FULL), START, MAX_GAP)
    for seconds, counted in (0, 0), (35, 35), (35.5, 0):
        state = track(first, GpuInventory(gpus=FULL), START + seconds, MAX_GAP)
        assert state.counted == counted
