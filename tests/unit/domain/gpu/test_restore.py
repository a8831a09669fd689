"""What an earlier process remembered of the GPUs, continued before or after the first checks."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from dstack_backend.domain.gpu import GpuState, MissingGpu, StoredGpus, TrackedGpu, restore
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.gpu.gpu_events import good, gpu, h200, lost, state_after
from tests.unit.domain.gpu.gpu_model import Good

A, B, C = "3b:00.0", "9b:00.0", "c1:00.0"
FULL = h200(A, B, C)
SHORT = h200(A, B)
SECOND = timedelta(seconds=1)


def stored(*slots: str, missing: str = "", used: str = "") -> StoredGpus:
    """Return what an earlier process remembered."""
    present = tuple(TrackedGpu(each, EPOCH) for each in h200(*slots, used=used))
    return StoredGpus(present, tuple(MissingGpu(each, EPOCH) for each in h200(missing) if missing))


EARLIER = EPOCH - timedelta(hours=1)
Restored = Callable[[StoredGpus, Good], GpuState]


def restored_before(what: StoredGpus, check: Good) -> GpuState:
    """Restore before the first check."""
    return state_after(check, state=restore(None, what, EARLIER))


def restored_after(what: StoredGpus, check: Good) -> GpuState:
    """Restore after the first check."""
    return restore(state_after(check), what, EARLIER)


@pytest.mark.parametrize("restored", [restored_before, restored_after])
def test_gpu_that_is_gone_after_a_restart_is_lost(restored: Restored) -> None:
    """By the second good check, with the time at which the earlier process saw it."""
    state = restored(stored(A, B, C), good(0, *SHORT))
    assert (state.changes, state.missing) == ((), {})
    assert lost(state_after(good(1, *SHORT), state=state)) == [(C, EARLIER)]
    assert state_after(good(1, *FULL), state=state).changes == ()


@pytest.mark.parametrize("restored", [restored_before, restored_after])
def test_what_changed_during_a_restart_is_reported(restored: Restored) -> None:
    """Returned, replaced, allocated and new GPUs; those that did not change are not."""
    replaced = gpu(B, "10de:2331")
    listed = (*h200(A, C, "new", "same", used=A), replaced)
    state = restored(stored(A, B, "same", missing=C), good(0, *listed))
    changes = {each.gpu.slot: (each.kind.value, each.last_seen) for each in state.changes}
    assert changes == {
        A: ("allocated", None),
        B: ("replaced", None),
        C: ("found", EPOCH),
        "new": ("found", None),
    }
    assert (state.missing, state.count) == ({}, 5)
    assert state.counted == 0


@pytest.mark.parametrize("restored", [restored_before, restored_after])
def test_node_that_restarts_unchanged_has_all_gpus_at_once(restored: Restored) -> None:
    """A required number of GPUs is met; a missing one is still missing."""
    state = restored(stored(A, B, missing=C), good(0, *SHORT))
    assert (state.count, state.changes, list(state.missing)) == (2, (), [(C, 0)])


def test_store_that_is_read_late_reports_nothing_twice() -> None:
    """What this process has seen to change has changed when it saw it."""
    checks = (
        good(0, *h200(A, C)),
        good(10, *h200(A, C, "new", used=A)),
        good(20, *h200(A, "new", used=A)),
        good(21, *h200(A, "new", B, used=A)),
        good(31, *h200(A, "new", used=A)),
    )
    state = restore(state_after(*checks), stored(A, C, missing=B), EARLIER)
    assert [(each.kind, each.gpu.slot) for each in state.changes] == []
    assert {key[0]: each.last_seen for key, each in state.missing.items()} == {
        C: EPOCH + 10 * SECOND
    }
    assert state.unconfirmed == {(B, 0): EPOCH + 21 * SECOND}
    assert state.present[A, 0].since == EPOCH + 10 * SECOND
    assert state.present["new", 0].since == EPOCH + 10 * SECOND


def test_gpu_that_is_stored_twice_is_there_once() -> None:
    """As present and missing, and twice as present: a damaged file."""
    present = (TrackedGpu(gpu(A), EPOCH), TrackedGpu(gpu(A), EPOCH))
    both = StoredGpus(present, (MissingGpu(gpu(A), EPOCH),))
    state = restore(None, both, EARLIER)
    assert (list(state.present), list(state.missing)) == ([], [(A, 0)])


def test_node_without_gpus_after_a_restart_is_degraded() -> None:
    """An empty list is a list."""
    state = state_after(good(0), good(1), state=restore(None, stored(A, B), EARLIER))
    assert (len(lost(state)), state.count, state.is_degraded) == (2, 0, True)
    assert state_after(good(0)).is_degraded
