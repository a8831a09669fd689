"""Decides which entries are too many, and every hour which are too old. Robust to a wrong clock.

A clock that is ahead makes every entry look too old. So the present is at most the last sign of
life before the start plus the time on the monotonic clock since then. At the start that sign of
life may itself be from a clock that was ahead: age counts only where 100 entries agree on it, as
they do where a service restarts so often that it never runs for an hour.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from dstack_backend.adapters.memory_entries import Entries
from dstack_backend.domain.history import EntryGroup, HistoryEntry
from dstack_backend.domain.timestamp import MIN_VALID_TIME, Timestamp

__all__ = ["MAX_ENTRIES", "WITNESSES", "Retention"]

MAX_ENTRIES = {EntryGroup.STATUS: 50_000, EntryGroup.GPU: 5_000, EntryGroup.USE: 2_000}
"""Entries of a group that are kept at most: about 12 MB of memory, and a file of 6 MB."""

INTERVAL = 3600.0
"""Seconds between two looks at the age of the entries."""

WITNESSES = 100
"""Entries that must agree on the time at the start."""


class Retention:
    """Keeps entries for a time, and of each group at most as many as `MAX_ENTRIES` says."""

    def __init__(self, keep: timedelta) -> None:
        """Store for how long entries are kept."""
        self._keep = keep
        self._started: Timestamp | None = None
        self._last_run: float | None = None

    def start(self, alive_at: datetime | None, now: Timestamp) -> None:
        """Note the last sign of life before this start. Only the first call has an effect."""
        if self._started is None:
            self._started = Timestamp(now.monotonic, min(now.utc, alive_at or now.utc))

    def apply(self, entries: Entries, now: Timestamp) -> None:
        """Delete what is too much or too old. The last change of the status still holds."""
        limit = self._limit(entries.status, now)
        for group, members in entries.groups():
            excess = max(0, len(members) - MAX_ENTRIES[group])
            if limit is None:
                older = 0
            elif group is EntryGroup.STATUS:
                older = _last_older(members, limit)
            else:
                older = sum(1 for _ in takewhile(lambda each: each.at < limit, members))
            entries.delete(group, max(excess, older))

    def _limit(self, changes: Sequence[HistoryEntry], now: Timestamp) -> datetime | None:
        """Return the time before which entries are too old; `None` where it is not the time."""
        started, last_run = self._started, self._last_run
        if not started or (last_run is not None and now.monotonic - last_run < INTERVAL):
            return None
        self._last_run = now.monotonic
        present = (started + (now.monotonic - started.monotonic)).utc
        if last_run is None:
            if len(changes) < WITNESSES:
                return None
            present = min(entry.at for entry in changes[-WITNESSES:])
        return min(now.utc, present) - self._keep


def _last_older(entries: Sequence[HistoryEntry], limit: datetime) -> int:
    """Return the position of the last entry that is older than `limit`: that one still holds."""
    for position in range(len(entries) - 1, -1, -1):
        if MIN_VALID_TIME <= entries[position].at < limit:
            return position
    return 0
