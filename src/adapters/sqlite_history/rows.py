"""The tables, the statements on them, and the conversion between entries and rows.

A damaged row is left out: it must stop neither a reader nor the writer. A time must be of the years
1 to 9999; text and BLOBs compare greater than any number, and NULL compares to nothing.
"""

from datetime import UTC, datetime

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import GapCause, HistoryEntry
from dstack_backend.domain.status import Status

__all__ = [
    "ALIVE",
    "DELETE_OLD",
    "ENTRIES",
    "INSERT",
    "LAST",
    "SET_ALIVE",
    "Row",
    "entry_from_row",
    "is_same",
    "row_from_entry",
    "time_from",
]

_VALID = """
SELECT number, at, before, after, reason, gap, message FROM entry
WHERE at BETWEEN -62135596800 AND 253402300799 AND typeof(message) = 'text'
"""

ENTRIES = f"{_VALID} ORDER BY number"

LAST = f"{_VALID} ORDER BY number DESC LIMIT 1"

ALIVE = "SELECT at FROM alive WHERE at BETWEEN -62135596800 AND 253402300799"

# A damaged row may have the number already.
INSERT = "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)"

SET_ALIVE = "INSERT INTO alive VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at"

DELETE_OLD = "DELETE FROM entry WHERE number < ?"

_STATUSES: dict[str | None, Status] = {status.value: status for status in Status}
_REASONS: dict[str | None, Reason] = {reason.value: reason for reason in Reason}
_GAPS: dict[str | None, GapCause] = {gap.value: gap for gap in GapCause}

Row = tuple[int, float, str | None, str | None, str | None, str | None, str]
"""A row of the table `entry`."""


def row_from_entry(entry: HistoryEntry) -> Row:
    """Return the row of an entry."""
    message = entry.message.encode(errors="replace").decode()  # SQLite rejects lone surrogates
    return (
        entry.number,
        entry.at.timestamp(),
        entry.before,
        entry.after,
        entry.reason,
        entry.gap,
        message,
    )


def entry_from_row(row: Row) -> HistoryEntry:
    """Return the entry of a row. A code that only a newer version knows becomes `None`."""
    number, at, before, after, reason, gap, message = row
    return HistoryEntry(
        at=time_from(at),
        before=_STATUSES.get(before),
        after=_STATUSES.get(after),
        reason=_REASONS.get(reason),
        gap=_GAPS.get(gap),
        message=message,
        number=number,
    )


def is_same(row: Row | None, entry: HistoryEntry | None) -> bool:
    """Return whether a row is that of an entry."""
    if row is None or entry is None:
        return row is None and entry is None
    return entry_from_row((*row[:-1], "")) == entry_from_row((*row_from_entry(entry)[:-1], ""))


def time_from(seconds: float) -> datetime:
    """Return the time of a number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
