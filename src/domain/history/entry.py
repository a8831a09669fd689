"""The entries of the history: one for each change, and one for each time of which nothing is known.

An entry begins a span that lasts until the next entry. `HistoryEntry.state` is how the span counts:

| state     | while                                                                            |
|-----------|----------------------------------------------------------------------------------|
| `up`      | the status was available                                                         |
| `down`    | the status was unavailable because a check failed                                |
| `unknown` | there was no check: not running, before the first check, stale, or a gap         |

Entries are in the order in which they were written. `at` is the wall clock's time and may be wrong:
see `uptime.py` for how times are computed then.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.status import Change, Status

__all__ = [
    "MIN_VALID_TIME",
    "GapCause",
    "HistoryConflict",
    "HistoryEntry",
    "HistoryError",
    "SpanState",
    "StoredHistory",
    "entry_for",
    "is_same_entry",
    "latest",
]

MIN_VALID_TIME = datetime(2025, 1, 1, tzinfo=UTC)
"""Older than any installation of this service: a clock that shows an earlier time is not set."""

MAX_MESSAGE_LENGTH = 500
"""Characters. The messages for DStack are shorter; another source may send longer ones."""


class HistoryError(Exception):
    """The history cannot be written or read now. The text is one line without a path."""


class HistoryConflict(HistoryError):  # noqa: N818 - a result of `append` more than a fault
    """The store does not end with the entry that was saved last: it was replaced or written to."""


class SpanState(StrEnum):
    """How a span counts."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class GapCause(StrEnum):
    """Why nothing is known of a time. The codes are stored and stable."""

    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CLOCK_SET_BACK = "clock_set_back"
    REPLACED = "replaced"

    @property
    def message(self) -> str:
        """The same for people."""
        return _GAP_MESSAGES[self]


_GAP_MESSAGES = {
    GapCause.STOPPED: "Not running: the service was stopped or the machine was off",
    GapCause.SUSPENDED: "Suspended: the machine or the process was suspended, or the clock was set",
    GapCause.CLOCK_SET_BACK: "Clock set back: the clock was ahead before",
    GapCause.REPLACED: "History replaced: the file was replaced while the service was running",
}


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One change of the status, or the start of a gap.

    Attributes:
        at: When it happened, by the wall clock.
        before: The status until then; `None` where it is not known.
        after: The status from then on; `None` for a gap.
        reason: Why it is unavailable from then on; `None` otherwise.
        gap: Why nothing is known from then on; `None` otherwise.
        message: Reason or gap for people. No code decides on it.
        number: Position in the order of writing, from 1; 0 before it is in the history.
    """

    at: datetime
    before: Status | None
    after: Status | None
    reason: Reason | None
    gap: GapCause | None = None
    message: str
    number: int = 0

    @property
    def state(self) -> SpanState:
        """How the time from then on counts."""
        if self.after is Status.AVAILABLE:
            return SpanState.UP
        is_known = self.after is not None and (self.reason is None or self.reason.is_conclusive)
        return SpanState.DOWN if is_known else SpanState.UNKNOWN


class StoredHistory(Struct, frozen=True):
    """What a store contains.

    Attributes:
        entries: In the order of writing.
        alive_at: When the service was last known to run; `None` where nothing was ever written.
    """

    entries: Sequence[HistoryEntry] = ()
    alive_at: datetime | None = None


def entry_for(change: Change) -> HistoryEntry | None:
    """Return the entry for a change; `None` where neither status nor reason changed."""
    before, after = change.before, change.after
    if (before.status, before.reason) == (after.status, after.reason):
        return None
    return HistoryEntry(
        at=change.at.utc,
        before=None if before.reason is Reason.STARTING else before.status,
        after=after.status,
        reason=after.reason,
        message=after.message[:MAX_MESSAGE_LENGTH].encode(errors="replace").decode(),
    )


def is_same_entry(one: HistoryEntry, other: HistoryEntry) -> bool:
    """Return whether two entries are the same but for the message, which a disk may damage."""
    return replace(one, message="") == replace(other, message="")


def latest(
    entries: Sequence[HistoryEntry],
    limit: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
) -> list[HistoryEntry]:
    """Return entries, the last written first.

    Args:
        entries: In the order of writing.
        limit: At most so many.
        since: Only entries from then on.
        until: Only entries before that time.
        before: Only entries with a lower number.
    """
    matching = (
        entry
        for entry in reversed(entries)
        if (before is None or entry.number < before)
        and (since is None or entry.at >= since)
        and (until is None or entry.at < until)
    )
    return list(islice(matching, limit))
