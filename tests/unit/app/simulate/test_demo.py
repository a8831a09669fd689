"""What the demo does to the GPUs between two outages."""

from collections.abc import Sequence

import pytest

from dstack_backend.app.simulate.demo import listings
from dstack_backend.domain import Gpu
from dstack_backend.testing.simulated_dstack import EIGHT_H200

SLOTS = {gpu.slot for gpu in EIGHT_H200}


def used(gpus: Sequence[Gpu]) -> set[str]:
    """Return the slots of the GPUs that are in use."""
    return {gpu.slot for gpu in gpus if not gpu.is_free}


@pytest.mark.parametrize("loses_gpu", [False, True])
def test_each_change_allocates_or_releases_one_gpu(*, loses_gpu: bool) -> None:
    """A lost GPU returns as it was."""
    known = used(EIGHT_H200)
    changes = list(listings(EIGHT_H200, loses_gpu=loses_gpu))
    for gpus in changes:
        lost = SLOTS - {gpu.slot for gpu in gpus}
        changed = (known ^ used(gpus)) - lost
        assert len(changed) == 1
        known ^= changed
    assert known == used(changes[-1])


def test_one_gpu_is_lost_for_a_while_and_back_before_the_outage() -> None:
    """It is not always the same one."""
    rounds = [list(listings(EIGHT_H200, loses_gpu=True)) for _ in range(50)]
    lost = [[SLOTS - {gpu.slot for gpu in gpus} for gpus in each] for each in rounds]
    assert all([len(slots) for slots in each] == [1, 1, 1, 1, 1, 1, 0, 0] for each in lost)
    assert len({slot for each in lost for slots in each for slot in slots}) > 2


def test_other_times_all_gpus_stay() -> None:
    """The order is that of the slots, as lspci's."""
    for gpus in listings(EIGHT_H200, loses_gpu=False):
        assert [gpu.slot for gpu in gpus] == sorted(SLOTS)
