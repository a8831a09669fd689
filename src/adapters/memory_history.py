"""The past in memory: lost with the process. For `HISTORY=off`, and for what waits for a disk."""

import threading
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from dstack_backend.domain.history.entry import MIN_VALID_TIME, HistoryEntry

__all__ = ["MemoryHistory"]


class MemoryHistory:
    """Implements the port `History`."""

    def __init__(self, last_number: int = 0) -> None:
        """Begin without a past; the first entry gets the number after `last_number`."""
        self._lock = threading.Lock()
        self._entries: list[HistoryEntry] = []
        self._numbers = last_number
        self._alive_at: datetime | None = None

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Keep entries."""
        with self._lock:
            for entry in entries:
                self._numbers += 1
                self._entries.append(replace(entry, number=self._numbers))
            self._alive_at = alive_at

    def alive_at(self) -> datetime | None:
        """Give when we were last known to run."""
        return self._alive_at

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Give the entries of a time in the order of writing, and the last one before it."""
        with self._lock:
            first, end = self._count_until(since), self._count_until(until)
            return self._entries[max(0, first - 1) : end]

    def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
        with self._lock:
            found = [
                entry
                for entry in reversed(self._entries)
                if (since is None or entry.at >= since)
                and (until is None or entry.at < until)
                and (before is None or entry.number < before)
            ]
        return found[:limit]

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget what is old or too much."""
        with self._lock:
            old = max(0, self._count_until(older_than) - 1)
            del self._entries[: max(old, len(self._entries) - most)]

    def _count_until(self, moment: datetime) -> int:
        """Give how many there are up to the last one before a moment."""
        places = range(len(self._entries), 0, -1)
        before = (n for n in places if MIN_VALID_TIME <= self._entries[n - 1].at < moment)
        return next(before, 0)

    def close(self) -> None:
        """Do nothing: there is nothing to let go."""
