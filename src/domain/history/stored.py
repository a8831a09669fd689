"""What a store of the history contains, what is written to it, and how it fails."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu.state import StoredGpus
from dstack_backend.domain.gpu.use import UsePeriod
from dstack_backend.domain.history.entry import HistoryEntry, SpanState, status_entries

__all__ = ["GpuUpdate", "HistoryConflict", "HistoryError", "StoredHistory"]


class HistoryError(Exception):
    """The history cannot be written or read now. The text is one line without a path."""


class HistoryConflict(HistoryError):  # noqa: N818 - a result of `append` more than a fault
    """The store does not end with the entry that was saved last: it was replaced or written to."""


class StoredHistory(Struct, frozen=True):
    """What a store contains.

    Attributes:
        entries: In the order of writing.
        alive_at: When the service was last known to run; `None` where nothing was ever written.
        gpus: What is remembered of the GPUs; `None` where there never were any.
        use: How long GPUs were in use, in periods.
        forget_requests: Slots of missing GPUs that an operator wants to be forgotten.
    """

    entries: Sequence[HistoryEntry] = ()
    alive_at: datetime | None = None
    gpus: StoredGpus | None = None
    use: Sequence[UsePeriod] = ()
    forget_requests: Sequence[str] = ()

    @property
    def available_until(self) -> datetime | None:
        """When the source last listed its resources, as far as is known."""
        spans = status_entries(self.entries)
        if not spans or spans[-1].state is SpanState.UP or spans[-1].reason is Reason.TOO_FEW_GPUS:
            return self.alive_at
        return spans[-1].at


class GpuUpdate(Struct, frozen=True, kw_only=True):
    """What is new of the GPUs since the last append.

    Attributes:
        state: What is to be remembered; `None` where it is the same.
        use: Periods that replace those with the same number. One without slots is deleted.
        forgotten: Requests that `state` takes into account; they are deleted.
    """

    state: StoredGpus | None = None
    use: Sequence[UsePeriod] = ()
    forgotten: Sequence[str] = ()
