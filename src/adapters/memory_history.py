"""A history store in memory, lost with the process: for `HISTORY=off`, and for tests."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

from dstack_backend.domain.history import HistoryConflict, HistoryEntry, StoredHistory

__all__ = ["MemoryHistory"]


class MemoryHistory:
    """Implements `HistoryStore`."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[HistoryEntry] = []
        self._alive_at: datetime | None = None

    def load(self) -> StoredHistory:
        """Return what is saved."""
        return StoredHistory(tuple(self._entries), self._alive_at)

    def append(
        self,
        entries: Sequence[HistoryEntry],
        alive_at: datetime,
        after: HistoryEntry | None,
        oldest: int = 0,
    ) -> None:
        """Save entries and that the service is running."""
        if after != (self._entries[-1] if self._entries else None):
            raise HistoryConflict("the store does not end with the entry that was saved last")
        self._entries += entries
        del self._entries[: bisect_left(self._entries, oldest, key=lambda each: each.number)]
        self._alive_at = alive_at

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
