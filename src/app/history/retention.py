"""Decides which entries are too many, and every hour which are too old. Robust to a wrong clock.

A clock that is ahead makes every entry look too old. So the present is at most the last sign of
life before the start plus the time on the monotonic clock since then. At the start that sign of
life may itself be from a clock that was ahead: age counts only where 100 entries agree on it, as
they do where a service restarts so often that it never runs for an hour.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dstack_backend.domain.history import MIN_VALID_TIME, HistoryEntry
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["MAX_ENTRIES", "WITNESSES", "Retention"]

MAX_ENTRIES = 50_000
"""Entries that are kept at most: about 12 MB of memory, and a file of 6 MB."""

INTERVAL = 3600.0
"""Seconds between two looks at the age of the entries."""

WITNESSES = 100
"""Entries that must agree on the time at the start."""


class Retention:
    """Keeps entries for a time, and at most `MAX_ENTRIES` of them."""

    def __init__(self, keep: timedelta) -> None:
        """Store for how long entries are kept."""
        self._keep = keep
        self._started: Timestamp | None = None
        self._last_run: float | None = None

    def start(self, alive_at: datetime | None, now: Timestamp) -> None:
        """Note the last sign of life before this start. Only the first call has an effect."""
        if self._started is None:
            self._started = Timestamp(now.monotonic, min(now.utc, alive_at or now.utc))

    def expired(self, entries: Sequence[HistoryEntry], now: Timestamp) -> int:
        """Return how many of the first entries are to be deleted; the last one never is.

        Args:
            entries: In the order of writing.
            now: The present time.
        """
        excess = max(0, len(entries) - MAX_ENTRIES)
        started, last_run = self._started, self._last_run
        if not started or (last_run is not None and now.monotonic - last_run < INTERVAL):
            return excess
        self._last_run = now.monotonic
        present = (started + (now.monotonic - started.monotonic)).utc
        if last_run is None:
            if len(entries) < WITNESSES:
                return excess
            present = min(entry.at for entry in entries[-WITNESSES:])
        return max(excess, _count_older(entries, min(now.utc, present) - self._keep))


def _count_older(entries: Sequence[HistoryEntry], limit: datetime) -> int:
    """Count the entries before the last one that is older than `limit`: that one still holds."""
    for position in range(len(entries) - 1, -1, -1):
        if MIN_VALID_TIME <= entries[position].at < limit:
            return position
    return 0
