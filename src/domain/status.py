"""The rule that turns the result of a check into the node's status.

An inventory, be it empty, means that the source of GPUs is online: available. A failure means
unavailable.
"""

from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.check import CheckResult
from dstack_backend.domain.failure import CheckFailure, Reason
from dstack_backend.domain.gpu.inventory import GpuInventory

__all__ = ["BackendStatus", "Status", "assess"]

EMPTY_INVENTORY = (
    "no GPUs: none is listed; with DStack, its listing may match no card or its lspci may fail"
)


class Status(StrEnum):
    """What the network is told."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"


class BackendStatus(Struct, frozen=True):
    """The status of a node, with what it rests on.

    Attributes:
        status: Available or unavailable.
        reason: Why it is unavailable; `None` while it is available.
        sentence: The same for people, in one line.
        inventory: The GPUs while it is available; `None` while nobody knows them.
    """

    status: Status
    reason: Reason | None
    message: str
    inventory: GpuInventory | None


def assess(result: CheckResult) -> BackendStatus:
    """Turn the result of a check into the status that it means."""
    if isinstance(result, CheckFailure):
        return BackendStatus(Status.UNAVAILABLE, result.reason, result.message, None)
    return BackendStatus(Status.AVAILABLE, None, _count(result), result)


def _count(inventory: GpuInventory) -> str:
    count = len(inventory.gpus)
    if not count:
        return EMPTY_INVENTORY
    return f"{count} {'GPU' if count == 1 else 'GPUs'}, {inventory.free_count} free"
