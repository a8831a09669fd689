"""A history store in memory, lost with the process: for `HISTORY=off`, and for tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dstack_backend.domain.gpu import StoredGpus, UsePeriod
from dstack_backend.domain.history import (
    EntryGroup,
    GpuUpdate,
    HistoryConflict,
    HistoryEntry,
    StoredHistory,
)

__all__ = ["MemoryHistory"]


class MemoryHistory:
    """Implements `HistoryStore`."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[HistoryEntry] = []
        self._alive_at: datetime | None = None
        self._gpus: StoredGpus | None = None
        self._use: dict[int, UsePeriod] = {}
        self._forget_requests: dict[str, None] = {}

    def load(self) -> StoredHistory:
        """Return what is saved."""
        use = tuple(self._use[number] for number in sorted(self._use))
        requests = tuple(self._forget_requests)
        return StoredHistory(tuple(self._entries), self._alive_at, self._gpus, use, requests)

    def append(
        self,
        entries: Sequence[HistoryEntry],
        alive_at: datetime,
        after: HistoryEntry | None,
        *,
        oldest: Mapping[EntryGroup, int] | None = None,
        gpus: GpuUpdate | None = None,
    ) -> None:
        """Save entries and that the service is running."""
        if after != (self._entries[-1] if self._entries else None):
            raise HistoryConflict("the store does not end with the entry that was saved last")
        limits = oldest or {}
        known = [*self._entries, *entries]
        self._entries = [each for each in known if each.number >= limits.get(each.kind.group, 0)]
        self._alive_at = alive_at
        if gpus:
            self._update(gpus)

    def forget_requests(self) -> Sequence[str]:
        """Return the slots that `request_forget` was called with."""
        return tuple(self._forget_requests)

    def request_forget(self, slot: str) -> None:
        """Ask for the missing GPUs of a slot to be forgotten."""
        self._forget_requests[slot] = None

    def _update(self, gpus: GpuUpdate) -> None:
        self._gpus = gpus.state or self._gpus
        self._use |= {each.number: each for each in gpus.use}
        self._use = {number: each for number, each in self._use.items() if each.slots}
        for slot in gpus.forgotten:
            self._forget_requests.pop(slot, None)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
