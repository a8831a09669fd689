"""The protocol of inventories."""

import pytest

from dstack_backend.domain import CheckFailure, GpuInventory, Inventory, Reason


def test_gpu_inventory_is_an_inventory() -> None:
    """The protocol can be checked at run time: the monitor does so with what a source returns."""
    assert isinstance(GpuInventory(), Inventory)


@pytest.mark.parametrize("value", [CheckFailure(Reason.TIMED_OUT), None, {"gpus": []}, "8 GPUs"])
def test_other_values_are_not_inventories(value: object) -> None:
    """A failure above all: the type of a result decides what it means."""
    assert not isinstance(value, Inventory)
