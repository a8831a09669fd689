"""The status that a result means, and which differences are changes."""

import pytest
from hypothesis import given

from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    Reason,
    Status,
    Timestamp,
    assess,
)
from dstack_backend.domain.status import change_between
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import failures, inventories

AT = Timestamp(5.0, EPOCH)
FREE = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
USED = Gpu(slot="4b:00.0", product_id="10de:2335", description="NVIDIA", is_free=False)
ONE = GpuInventory(gpus=(FREE,))
TWO = GpuInventory(gpus=(FREE, USED))
NONE = GpuInventory()
REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)
CLOSED = CheckFailure(Reason.CONNECTION_CLOSED)
STALE_37 = CheckFailure(Reason.STALE, "the last check finished 37 s ago")
STALE_38 = CheckFailure(Reason.STALE, "the last check finished 38 s ago")


@given(inventories())
def test_inventory_means_available(inventory: GpuInventory) -> None:
    """The source is online once it lists its resources, even none. The inventory is passed on."""
    status = assess(inventory)
    assert (status.status, status.reason, status.inventory) == (Status.AVAILABLE, None, inventory)


@given(failures())
def test_failure_means_unavailable(failure: CheckFailure) -> None:
    """The status has the reason and the message of the failure, and no inventory."""
    status = assess(failure)
    assert (status.status, status.inventory) == (Status.UNAVAILABLE, None)
    assert (status.reason, status.message) == (failure.reason, failure.message)


@pytest.mark.parametrize(
    ("inventory", "message"),
    [
        (ONE, "1 GPU, 1 free"),
        (GpuInventory(gpus=(USED,)), "1 GPU, 0 free"),
        (GpuInventory(gpus=(FREE, USED, FREE)), "3 GPUs, 2 free"),
    ],
)
def test_available_status_has_the_summary_of_its_inventory(
    inventory: GpuInventory, message: str
) -> None:
    """The message is the number of GPUs and of free GPUs."""
    assert assess(inventory).message == message


def test_empty_inventory_is_named_in_the_message() -> None:
    """The source works but lists nothing."""
    assert assess(NONE).message.startswith("no GPUs")


def test_statuses_are_those_of_the_contract() -> None:
    """The worker knows two values."""
    assert [each.value for each in Status] == ["available", "unavailable"]
    assert assess(CheckFailure(Reason.STARTING)).status == "unavailable"


@pytest.mark.parametrize(
    ("before", "after", "is_transition"),
    [
        (REFUSED, ONE, True),
        (ONE, REFUSED, True),
        (ONE, STALE_37, True),
        (REFUSED, CLOSED, False),
        (STALE_37, REFUSED, False),
        (ONE, NONE, False),
        (NONE, ONE, False),
    ],
)
def test_other_status_or_reason_or_emptiness_is_a_change(
    before: CheckResult, after: CheckResult, *, is_transition: bool
) -> None:
    """A change holds both statuses and the time. It is a transition where the status differs."""
    change = change_between(assess(before), assess(after), AT)
    assert change is not None
    assert (change.before, change.after, change.at) == (assess(before), assess(after), AT)
    assert change.is_transition is is_transition


@pytest.mark.parametrize(
    ("before", "after"),
    [(ONE, ONE), (ONE, TWO), (NONE, NONE), (REFUSED, REFUSED), (STALE_37, STALE_38)],
)
def test_other_detail_or_gpu_count_is_no_change(before: CheckResult, after: CheckResult) -> None:
    """Neither another number of seconds nor another number of GPUs is announced."""
    assert change_between(assess(before), assess(after), AT) is None
