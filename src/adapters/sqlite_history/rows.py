"""Entries as rows, and rows as entries."""

from datetime import UTC, datetime

from dstack_backend.domain.failure import Reason
from dstack_backend.domain.history.entry import HistoryEntry
from dstack_backend.domain.status import Status

__all__ = ["Row", "entry_of_row", "row_of", "time_of"]

_STATUSES: dict[str | None, Status] = {status.value: status for status in Status}
_REASONS: dict[str | None, Reason] = {reason.value: reason for reason in Reason}

Row = tuple[int, float, str | None, str | None, str | None, str]
"""A row of the table `entry`."""


def row_of(entry: HistoryEntry) -> tuple[object, ...]:
    """Give an entry's row, without its number."""
    message = entry.message.encode(errors="replace").decode()  # SQLite takes no lone surrogates
    return entry.at.timestamp(), entry.before, entry.after, entry.reason, message


def entry_of_row(row: Row) -> HistoryEntry:
    """Give a row's entry."""
    number, at, before, after, reason, message = row
    return HistoryEntry(
        at=time_of(at),
        before=_STATUSES.get(before),  # one that only a newer version knows counts as none
        after=_STATUSES.get(after),
        reason=_REASONS.get(reason),
        message=message,
        number=number,
    )


def time_of(seconds: float) -> datetime:
    """Give a time of the file."""
    return datetime.fromtimestamp(seconds, UTC)
