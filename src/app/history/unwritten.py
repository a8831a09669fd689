"""Changes that wait for the disk."""

import threading
from collections import deque

from dstack_backend.domain.history.entry import HistoryEntry
from dstack_backend.domain.history.gaps import overflow_gap

__all__ = ["MOST_PENDING", "Unwritten"]

MOST_PENDING = 10_000
"""Of more than so many, the oldest are lost. One entry says so: from the first of them on nothing
is known, until the first that is left."""


class Unwritten:
    """A queue between two threads: the loop adds, the writer takes out what it has written."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._lost: HistoryEntry | None = None
        self._entries: deque[HistoryEntry] = deque()

    def add(self, *entries: HistoryEntry) -> None:
        """Add entries at the end."""
        with self._lock:
            self._entries.extend(entries)
            while len(self._entries) > MOST_PENDING:
                first = self._entries.popleft()
                self._lost = self._lost or overflow_gap(first)

    def all(self) -> list[HistoryEntry]:
        """Give what waits, the oldest first; it goes on waiting."""
        with self._lock:
            return [*([self._lost] if self._lost else []), *self._entries]

    def forget(self, written: list[HistoryEntry]) -> None:
        """Take out what is written, as far as it did not overflow meanwhile."""
        done = {id(entry) for entry in written}
        with self._lock:
            self._entries = deque(entry for entry in self._entries if id(entry) not in done)
            if id(self._lost) in done:
                self._lost = None
