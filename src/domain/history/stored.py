"""What a store of the history contains, what is written to it, and how it fails."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu.state import GpuState, StoredGpus
from dstack_backend.domain.gpu.tracking import forget, restore
from dstack_backend.domain.gpu.use import GpuUse, UsePeriod, UseRecord
from dstack_backend.domain.history.entry import HistoryEntry, SpanState, status_entries

__all__ = ["HEARTBEAT", "GpuUpdate", "HistoryConflict", "HistoryError", "StoredHistory"]

HEARTBEAT = 10.0
"""Seconds between two signs of life: after a `kill -9` the gap is known to that precision."""


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
        until = self.alive_at
        for each in reversed(status_entries(self.entries)):
            if each.state is SpanState.UP or each.reason is Reason.TOO_FEW_GPUS:
                break
            until = each.at
        return until

    @property
    def gpu_state(self) -> GpuState | None:
        """What the next process continues with; `None` where there never were any GPUs."""
        if self.gpus is None or (seen_at := self.available_until) is None:
            return None
        return forget(restore(None, self.gpus, seen_at), self.forget_requests)

    def gpu_use(self, now: datetime) -> GpuUse:
        """Return how long the GPUs were in use, up to now."""
        record = UseRecord()
        record.restore(self.use)
        return record.shares(now)


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
