"""Changes that wait for the disk."""

import threading
from collections import deque

from dstack_backend.domain.history import HistoryEntry

__all__ = ["MOST_PENDING", "Unwritten"]

MOST_PENDING = 10_000
"""Of more than so many, the oldest are lost."""


class Unwritten:
    """A queue between two threads: the loop adds, the writer takes out what it has written."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._entries: deque[HistoryEntry] = deque(maxlen=MOST_PENDING)

    def add(self, *entries: HistoryEntry) -> None:
        """Add entries at the end."""
        with self._lock:
            self._entries.extend(entries)

    def all(self) -> list[HistoryEntry]:
        """Give what waits, the oldest first; it goes on waiting."""
        with self._lock:
            return list(self._entries)

    def forget(self, written: list[HistoryEntry]) -> None:
        """Take out what is written, as far as it did not overflow meanwhile."""
        done = {id(entry) for entry in written}
        with self._lock:
            left = [entry for entry in self._entries if id(entry) not in done]
            self._entries = deque(left, MOST_PENDING)
