"""What the writer of the past does in its thread, one call after the other."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.app.history.retention import Retention
from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.domain.history.entry import HistoryEntry
from dstack_backend.domain.history.gaps import merge_takeover, restart_gap
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["HistoryWriter"]


class HistoryWriter:
    """Opens the history as soon as it can be opened, and writes to it what waits."""

    def __init__(
        self, open_history: Callable[[], HistoryStore], unwritten: Unwritten, retention: timedelta
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
        self._pruning = Retention(retention)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._history: HistoryStore | None = None
        self._owes_gap = True
        self._lead_in: list[HistoryEntry] = []
        self._last_written: HistoryEntry | None = None

    @property
    def history(self) -> HistoryStore | None:
        """Where the entries go; `None` while it is not open."""
        return self._history

    def led_in(self, pending: list[HistoryEntry], now: datetime) -> list[HistoryEntry]:
        """Give what becomes of changes that wait, once they are written. It reads no disk."""
        lead_in = self._lead_in
        return [*lead_in, *merge_takeover(lead_in[-1], pending, now)] if lead_in else pending

    def write(self, now: Timestamp) -> None:
        """Write what waits, and that we run: all of it or nothing.

        Raises:
            HistoryError: It cannot be written now.
        """
        if self._history is None:
            self._history = self._open_history()
        self._pruning.begin(self._history, now)
        self._lead_in = self._missing(self._history)
        pending = self._unwritten.all()
        entries = self.led_in(pending, now.utc)
        self._history.append(entries, now.utc)
        self._owes_gap, self._lead_in = False, []
        if entries:
            self._last_written = entries[-1]
        self._unwritten.forget(pending)
        self._pruning.prune(self._history, now)

    def close(self) -> None:
        """Let go of the history."""
        if self._history is not None:
            self._history.close()
        self._begin_anew()

    def _missing(self, history: HistoryStore) -> list[HistoryEntry]:
        """Give what has to come first: the time in which we did not run, and what holds.

        The history may be another one than that to which we wrote: a corrupt file was set aside, or
        somebody put a copy in its place. What holds is still known.
        """
        written = self._last_written
        if written is None and not self._owes_gap:
            return []
        found = history.latest(1)
        last = found[0] if found else None
        if written and last and _is_same(written, last):
            return []
        gap = restart_gap(last, history.alive_at())
        if written is None:
            return [gap] if gap else []
        return [gap, replace(written, at=max(written.at, gap.at))] if gap else [written]


def _is_same(one: HistoryEntry, other: HistoryEntry) -> bool:
    return (one.at, one.after, one.reason) == (other.at, other.after, other.reason)
