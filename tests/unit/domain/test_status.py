"""What a result means."""

import pytest
from hypothesis import given

from dstack_backend.domain import CheckFailure, Gpu, GpuInventory, Reason, Status, assess
from dstack_backend.testing.strategies import failures, inventories

FREE = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
USED = Gpu(slot="4b:00.0", product_id="10de:2335", description="NVIDIA", is_free=False)


@given(inventories())
def test_any_inventory_means_available(inventory: GpuInventory) -> None:
    """DStack is online once it lists its GPUs, be there none; the inventory is passed on."""
    status = assess(inventory)
    assert (status.status, status.reason, status.inventory) == (Status.AVAILABLE, None, inventory)


@given(failures())
def test_any_failure_means_unavailable(failure: CheckFailure) -> None:
    """A failure leaves nothing of an inventory, and keeps its reason and its sentence."""
    status = assess(failure)
    assert (status.status, status.inventory) == (Status.UNAVAILABLE, None)
    assert (status.reason, status.message) == (failure.reason, failure.message)


@pytest.mark.parametrize(
    ("gpus", "message"),
    [
        ((FREE,), "1 GPU, 1 free"),
        ((USED,), "1 GPU, 0 free"),
        ((FREE, USED, FREE), "3 GPUs, 2 free"),
    ],
)
def test_an_available_status_counts_its_gpus(gpus: tuple[Gpu, ...], message: str) -> None:
    """The sentence says how many there are and how many nobody uses."""
    assert assess(GpuInventory(gpus=gpus)).message == message


def test_an_empty_inventory_is_explained() -> None:
    """It says that the listing may match no card or that lspci may fail."""
    message = assess(GpuInventory()).message
    assert message.startswith("no GPUs")
    assert "listing" in message
    assert "lspci" in message


def test_the_statuses_are_those_of_the_contract() -> None:
    """The worker knows two words."""
    assert [each.value for each in Status] == ["available", "unavailable"]
    assert assess(CheckFailure(Reason.STARTING)).status == "unavailable"
