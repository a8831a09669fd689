"""What the writer of the past does in its thread, one call after the other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dstack_backend.app.unwritten import Unwritten
from dstack_backend.domain.gaps import gap_entry
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.domain.moment import Moment
from dstack_backend.domain.ports import History

__all__ = ["MOST_ENTRIES", "HistoryWriter"]

MOST_ENTRIES = 50_000
"""Of a DStack that flaps without end, so many changes are kept: a file of about 6 MB."""

PRUNE_EVERY = 3600.0
"""Seconds."""

FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


class HistoryWriter:
    """Opens the history as soon as it can be opened, and writes to it what waits."""

    def __init__(
        self, open_history: Callable[[], History], unwritten: Unwritten, retention: timedelta
    ) -> None:
        """Keep what is needed; nothing is opened yet.

        Args:
            open_history: Opens where the entries go. While it raises `HistoryError`, each write
                tries it again.
            unwritten: What is to be written.
            retention: How long it is kept.
        """
        self._open_history = open_history
        self._unwritten = unwritten
        self._retention = retention
        self._history: History | None = None
        self._owes_gap = True
        self._last_written: HistoryEntry | None = None
        self._pruned_at: float | None = None

    @property
    def history(self) -> History | None:
        """Where the entries go; `None` while it is not open."""
        return self._history

    def write(self, now: Moment) -> None:
        """Write what waits, and that we run: all of it or nothing.

        Raises:
            HistoryError: It cannot be written now.
        """
        if self._history is None:
            self._history = self._open_history()
        entries = self._unwritten.all()
        self._history.append([*self._lead_in(self._history), *entries], now.utc)
        self._owes_gap = False
        if entries:
            self._last_written = entries[-1]
        self._unwritten.forget(entries)
        self._prune(self._history, now)

    def owed_gap(self, history: History) -> list[HistoryEntry]:
        """Give the entry for the time before our start, as long as it is not written.

        Raises:
            HistoryError: The history cannot be read now.
        """
        if not self._owes_gap:
            return []
        last = history.latest(1)
        gap = gap_entry(last[0] if last else None, history.alive_at())
        return [gap] if gap else []

    def close(self) -> None:
        """Let go of the history."""
        if self._history is not None:
            self._history.close()
        self._history, self._owes_gap, self._last_written = None, True, None

    def _lead_in(self, history: History) -> list[HistoryEntry]:
        if self._last_written and not history.latest(1):
            return [self._last_written]  # a corrupt file was set aside: what holds is still known
        return self.owed_gap(history)

    def _prune(self, history: History, now: Moment) -> None:
        if self._pruned_at is None:
            # While a machine boots its clock may be wrong, and then everything looks too old.
            history.prune(FIRST_MOMENT, MOST_ENTRIES)
        elif now.monotonic - self._pruned_at < PRUNE_EVERY:
            return
        else:
            history.prune(now.utc - self._retention, MOST_ENTRIES)
        self._pruned_at = now.monotonic
