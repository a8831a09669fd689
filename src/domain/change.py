"""A change of status, as a value that observers are told."""

from msgspec import Struct

from dstack_backend.domain.failure import Reason
from dstack_backend.domain.status import BackendStatus, Status
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Change", "change_between"]


class Change(Struct, frozen=True):
    """The status turned, or stayed as it was for another reason.

    Attributes:
        at: When it happened.
        before: What held until then.
        after: What holds from then on.
    """

    at: Timestamp
    before: BackendStatus
    after: BackendStatus

    @property
    def turned(self) -> bool:
        """The status itself turned, not only its reason."""
        return self.before.status != self.after.status


def change_between(before: BackendStatus, after: BackendStatus, at: Timestamp) -> Change | None:
    """Give the change from one status to the next; `None` where there is no news.

    News are another status, another reason, and GPUs that all went or came while available. Other
    words for the same reason ("37 s ago", "38 s ago") are none.
    """
    return None if _news(before) == _news(after) else Change(at, before, after)


def _news(status: BackendStatus) -> tuple[Status, Reason | None, bool]:
    has_gpus = status.inventory is not None and bool(status.inventory.gpus)
    return status.status, status.reason, has_gpus
