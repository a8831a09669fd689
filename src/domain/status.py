"""The status of a node and its changes.

An inventory, even an empty one, means that the source is online: available. A failure means
unavailable.
"""

from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.inventory import Inventory
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["BackendStatus", "Change", "Status", "assess", "change_between"]


class Status(StrEnum):
    """What the network is told."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"


class BackendStatus(Struct, frozen=True):
    """The status of a node and the result on which it is based.

    Attributes:
        status: Available or unavailable.
        reason: Why it is unavailable; `None` while it is available.
        message: The same for people, in one line.
        inventory: The inventory while it is available; `None` otherwise.
    """

    status: Status
    reason: Reason | None
    message: str
    inventory: Inventory | None


class Change(Struct, frozen=True):
    """A transition from one status to another, or to another reason of the same status.

    Attributes:
        at: When it happened.
        before: What held until then.
        after: What holds from then on.
    """

    at: Timestamp
    before: BackendStatus
    after: BackendStatus

    @property
    def is_transition(self) -> bool:
        """Whether the status itself changed, and not only its reason."""
        return self.before.status != self.after.status


def assess(result: CheckResult) -> BackendStatus:
    """Return the status that the result of a check means."""
    if isinstance(result, CheckFailure):
        return BackendStatus(Status.UNAVAILABLE, result.reason, result.message, None)
    return BackendStatus(Status.AVAILABLE, None, result.summary, result)


def change_between(before: BackendStatus, after: BackendStatus, at: Timestamp) -> Change | None:
    """Return the change from one status to the next; `None` where nothing relevant changed.

    Relevant are the status, the reason, and whether the inventory is empty. A different message of
    the same reason ("37 s ago", "38 s ago") is not.
    """
    return None if _relevant(before) == _relevant(after) else Change(at, before, after)


def _relevant(status: BackendStatus) -> tuple[Status, Reason | None, bool]:
    has_resources = status.inventory is not None and not status.inventory.is_empty
    return status.status, status.reason, has_resources
