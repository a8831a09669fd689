"""What a store contains: when the source was last known to answer, and the GPUs."""

import pytest
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import Gpu, MissingGpu, StoredGpus, TrackedGpu, UsePeriod
from dstack_backend.domain.gpu.use import period_of
from dstack_backend.domain.history import GapCause, HistoryEntry, StoredHistory
from tests.unit.history_entries import at, down, gap, up

TOO_FEW = replace(down(50), reason=Reason.TOO_FEW_GPUS)


def h200(slot: str) -> Gpu:
    """Return a GPU."""
    return Gpu(slot=slot, product_id="10de:2335", description="", is_free=True)


@pytest.mark.parametrize(
    ("entries", "second"),
    [
        ([], 100),
        ([up(10)], 100),
        ([up(10), down(30)], 30),
        ([up(10), down(30), down(40)], 30),
        ([up(10), down(30), gap(60, GapCause.STOPPED)], 30),
        ([up(10), gap(60, GapCause.STOPPED)], 60),
        ([up(10), TOO_FEW], 100),
        ([up(10), TOO_FEW, down(70)], 70),
        ([down(30), down(40)], 30),
    ],
)
def test_source_was_available_until_the_end_of_its_last_answers(
    entries: list[HistoryEntry], second: int
) -> None:
    """Also where it was gone before the service stopped, and where it listed too few GPUs."""
    assert StoredHistory(entries, at(100)).available_until == at(second)


def test_state_of_the_gpus_is_without_the_forgotten() -> None:
    """A request counts before the service has applied it."""
    known = StoredGpus(
        (TrackedGpu(h200("a"), at(0)),),
        (MissingGpu(h200("b"), at(1)), MissingGpu(h200("c"), at(2))),
    )
    state = StoredHistory([up(10), down(30)], at(100), known, forget_requests=("b",)).gpu_state
    assert state is not None
    assert [each.gpu.slot for each in state.present.values()] == ["a"]
    assert [each.gpu.slot for each in state.missing.values()] == ["c"]
    assert state.seen_at == at(30)


def test_gpus_are_unknown_where_none_were_stored() -> None:
    """Nor without a time at which they were seen."""
    assert StoredHistory([up(10)], at(100)).gpu_state is None
    assert StoredHistory(gpus=StoredGpus()).gpu_state is None


def test_use_is_that_of_the_stored_periods() -> None:
    """Up to now; what is not stored is unknown."""
    now = at(1800)
    stored = StoredHistory(use=[UsePeriod(period_of(now) - 1, {"a": (600.0, 200.0)})])
    day = stored.gpu_use(now).slots["a"]["24h"]
    assert (day.in_use_seconds, day.free_seconds) == (600.0, 200.0)
    assert day.in_use_percent == 75.0
