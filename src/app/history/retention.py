"""Forgets what is old, every hour, and believes no clock that may be wrong.

A clock that is ahead makes everything look too old. So an hour counts as what the monotonic clock
says, from the last sign of life before our start on; a wall clock that shows more is not believed.
At the start itself nothing tells whether that sign of life is from a clock that was ahead, so age
counts only where many entries agree that it is so late. They do where a service restarts so often
that it never runs for an hour.
"""

from datetime import UTC, datetime, timedelta

from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["MOST_ENTRIES", "WITNESSES", "Retention"]

MOST_ENTRIES = 50_000
"""Of a DStack that flaps without end, so many changes are kept: a file of about 6 MB."""

PRUNE_EVERY = 3600.0
"""Seconds."""

WITNESSES = 100
"""Entries."""

FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


class Retention:
    """Knows how late it is at least, and when it looked last."""

    def __init__(self, retention: timedelta) -> None:
        """Keep how long entries are kept."""
        self._retention = retention
        self._started: Timestamp | None = None
        self._looked_at: float | None = None

    def begin(self, history: HistoryStore, now: Timestamp) -> None:
        """See how late it is, before a new sign of life is written. Only the first call counts.

        Raises:
            HistoryError: The history cannot be read now.
        """
        if self._started is None:
            alive_at = history.alive_at() or now.utc
            self._started = Timestamp(now.monotonic, min(now.utc, alive_at))

    def prune(self, history: HistoryStore, now: Timestamp) -> None:
        """Forget what is old or too much, if it is time to.

        Raises:
            HistoryError: The history cannot be written now.
        """
        if self._looked_at is not None and now.monotonic - self._looked_at < PRUNE_EVERY:
            return
        late = self._by_witnesses(history) if self._looked_at is None else self._by_running(now)
        oldest = min(now.utc, late) - self._retention if late else FIRST_MOMENT
        history.prune(oldest, MOST_ENTRIES)
        self._looked_at = now.monotonic

    def _by_running(self, now: Timestamp) -> datetime | None:
        started = self._started
        return (started + (now.monotonic - started.monotonic)).utc if started else None

    @staticmethod
    def _by_witnesses(history: HistoryStore) -> datetime | None:
        found = history.latest(WITNESSES)
        return min(entry.at for entry in found) if len(found) == WITNESSES else None
