"""The statements on the tables, and the conversion between entries and rows.

A damaged row is left out: it must stop neither a reader nor the writer. A time must be of the years
1 to 9999; text and BLOBs compare greater than any number, and NULL compares to nothing.
"""

from datetime import UTC, datetime

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import GapCause, HistoryEntry, is_same_entry
from dstack_backend.domain.status import Status

_VALID = """
SELECT number, at, before, after, reason, gap, message FROM entry
WHERE at BETWEEN -62135596800 AND 253402300799 AND typeof(message) = 'text'
    AND number BETWEEN 1 AND 1000000000000000
"""
ENTRIES = f"{_VALID} ORDER BY number"
LAST = f"{_VALID} ORDER BY number DESC LIMIT 1"
INSERT = "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)"
"""A damaged row may have the number already."""
DELETE_OLD = "DELETE FROM entry WHERE number < ?"

ALIVE = "SELECT at FROM alive WHERE at BETWEEN -62135596800 AND 253402300799"
SET_ALIVE = "INSERT INTO alive VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at"

_STATUSES: dict[str | None, Status] = {each.value: each for each in Status}
_REASONS: dict[str | None, Reason] = {each.value: each for each in Reason}
_GAPS: dict[str | None, GapCause] = {each.value: each for each in GapCause}

Row = tuple[int, float, str | None, str | None, str | None, str | None, str]
"""A row of the table `entry`."""


def row_from_entry(entry: HistoryEntry) -> Row:
    """Return the row of an entry."""
    codes = entry.before, entry.after, entry.reason, entry.gap
    return (entry.number, entry.at.timestamp(), *codes, entry.message)


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
    """Return whether a row is that of an entry, by the precision that the file has."""
    if row is None or entry is None:
        return row is None and entry is None
    return is_same_entry(entry_from_row(row), entry_from_row(row_from_entry(entry)))


def time_from(seconds: float) -> datetime:
    """Return the time of a number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
