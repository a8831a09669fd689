"""The rules for GPUs against their model: any sequence of lists, failures, requests and clocks."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain.gpu import GpuState, interrupt, restore
from tests.unit.domain.gpu.gpu_events import MAX_GAP, START, events, states
from tests.unit.domain.gpu.gpu_model import Event, Forgotten, Good, GpuModel, numbered


def _changes(state: GpuState) -> set[object]:
    # The number of a GPU in its slot is not in a change; the model's is dropped for comparison.
    return {(each.kind, each.gpu.slot, each.last_seen, each.before) for each in state.changes}


@settings(max_examples=100)
@given(events())
def test_state_is_that_of_the_model(history: list[Event]) -> None:
    """After each event: present, missing and unconfirmed GPUs, changes, extra check, known time."""
    for number, state in enumerate(states(history), 1):
        model = GpuModel(history[:number])
        assert (state is None) == (not model.good())
        if state is None:
            continue
        present = model.present()
        assert {key: each.gpu for key, each in state.present.items()} == present
        missing = {key: each.last_seen for key, each in state.missing.items()}
        assert missing == model.missing()
        assert state.unconfirmed == model.unconfirmed()
        expected = model.changes()
        assert len(state.changes) == len(expected)
        assert _changes(state) == {(kind, key[0], *rest) for kind, key, *rest in expected}
        assert state.needs_confirmation == model.needs_confirmation()
        assert state.count == len(present)
        assert state.is_degraded == (not present or bool(missing))


@given(events())
def test_known_time_is_that_between_two_good_checks(history: list[Event]) -> None:
    """It counts with the use that the first of them listed."""
    for number, state in enumerate(states(history), 1):
        model = GpuModel(history[:number])
        if not state or not isinstance(history[number - 1], Good):
            assert not state or state.counted == 0
            continue
        assert state.counted == model.known_time(MAX_GAP)
        if state.counted:
            before = model.before(number - 1).good()[-1][1].gpus
            assert sorted(map(repr, before)) == sorted(
                repr(each.gpu) for each in state.used.values()
            )


@given(events(), st.randoms(use_true_random=False))
def test_order_of_a_list_has_no_meaning(history: list[Event], order: random.Random) -> None:
    """Lists in another order have the same state."""
    shuffled = [
        replace(event, gpus=tuple(order.sample(event.gpus, len(event.gpus))))
        if isinstance(event, Good)
        else event
        for event in history
    ]
    for one, other in zip(states(history), states(shuffled), strict=True):
        assert (one is None) == (other is None)
        if one and other:
            assert (one.present, one.missing) == (other.present, other.missing)
            assert _changes(one) == _changes(other)
            assert one.unconfirmed == other.unconfirmed


@given(events(), events())
def test_restart_is_like_a_failed_check(history: list[Event], following: list[Event]) -> None:
    """A process that restores what is stored continues as the one before would have."""
    old = states(history)[-1] if history else None
    if not old:
        return
    new = replace(restore(None, old.stored, old.seen_at), steady_since=old.steady_since)
    assert (new.stored, new.changes, new.count) == (old.stored, (), 0)
    for one, other in zip(states(following, interrupt(old)), states(following, new), strict=True):
        assert one
        assert other
        assert one.present == other.present
        assert one.missing.keys() == other.missing.keys()
        if other.last_good:
            assert one.unconfirmed.keys() == other.unconfirmed.keys()
        if not old.unconfirmed:  # when an unconfirmed GPU was listed last is not stored
            assert one.missing == other.missing
            assert one.changes == other.changes
            assert one.needs_confirmation == other.needs_confirmation


@given(events(), events())
def test_store_may_be_read_after_the_first_checks(
    history: list[Event], following: list[Event]
) -> None:
    """GPUs that are present or missing are the same as if it had been read before them."""
    old = states(history)[-1] if history else None
    new = states(following)[-1] if following else None
    if not old or not new:
        return
    early = replace(restore(None, old.stored, old.seen_at), steady_since=START)
    listed = numbered(new.inventory.gpus)
    late = restore(new, old.stored, old.seen_at)
    known = old.present.keys() | new.present.keys()
    assert listed.keys() <= late.present.keys() <= known
    assert not late.present.keys() & late.missing.keys()
    assert new.missing.items() <= late.missing.items()
    assert old.missing.keys() - listed.keys() - new.unconfirmed.keys() <= late.missing.keys()
    assert late.unconfirmed.keys() == late.present.keys() - listed.keys()
    assert (late.count, late.counted, late.last_good) == (new.count, 0.0, new.last_good)
    if len(following) == 1:
        before = states(following, early)[-1]
        assert before
        assert (late.present, late.changes) == (before.present, before.changes)
        assert late.unconfirmed == before.unconfirmed


@given(events())
def test_state_that_nothing_changed_is_the_same_object(history: list[Event]) -> None:
    """What is not new is not saved again."""
    before: GpuState | None = None
    for event, state in zip(history, states(history), strict=True):
        if before and state and not isinstance(event, Forgotten):
            if before.present == state.present:
                assert before.present is state.present
            # A GPU may be lost and expire in one check, by a clock that was set.
            if before.missing == state.missing and not state.changes:
                assert before.missing is state.missing
        before = state
