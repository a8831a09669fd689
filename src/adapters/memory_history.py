"""The past in memory: lost with the process. For `HISTORY=off`, and where no file can be kept."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from dstack_backend.domain.history import HistoryEntry

__all__ = ["MemoryHistory"]


class MemoryHistory:
    """Implements the port `History`."""

    def __init__(self) -> None:
        """Begin without a past."""
        self._entries: list[HistoryEntry] = []
        self._numbers = 0
        self._alive_at: datetime | None = None

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Keep entries."""
        for entry in entries:
            self._numbers += 1
            self._entries.append(replace(entry, number=self._numbers))
        self._alive_at = alive_at

    def alive_at(self) -> datetime | None:
        """Give when we were last known to run."""
        return self._alive_at

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Give the entries of a time in the order of writing, and the last one before it."""
        earlier = [entry for entry in self._entries if entry.at < since]
        inside = [entry for entry in self._entries if since <= entry.at < until]
        return earlier[-1:] + inside

    def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
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
        old = [number for number, entry in enumerate(self._entries) if entry.at < older_than]
        first = max(old[-1] if old else 0, len(self._entries) - most)
        del self._entries[:first]

    def close(self) -> None:
        """Do nothing: there is nothing to let go."""
