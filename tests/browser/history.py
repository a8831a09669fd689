"""A past as a node may have had it: three months with outages, and times in which nobody looked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain import CheckFailure, Reason, Status
from dstack_backend.domain.history import NOT_RUNNING, HistoryEntry

__all__ = ["write_past"]

_GOOD = "8 GPUs, 5 free"

# Hours ago, how long it lasted in minutes, and why; `None`: we were not running ourselves.
_TROUBLES: tuple[tuple[float, float, CheckFailure | None], ...] = (
    (1900, 4, CheckFailure(Reason.CONNECTION_REFUSED)),
    (1650, 190, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")),
    (1300, 1700, None),
    (1100, 0.2, CheckFailure(Reason.CONNECTION_REFUSED)),
    (700, 25, CheckFailure(Reason.HTTP_ERROR, "500 Internal Server Error")),
    (420, 3, CheckFailure(Reason.CONNECTION_REFUSED)),
    (130, 260, None),
    (97, 42, CheckFailure(Reason.CONNECTION_REFUSED)),
    (52, 6, CheckFailure(Reason.UNAUTHORIZED)),
    (19.2, 70, None),
    (7.4, 11, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")),
)
_BEGIN = 2050


def write_past(folder: Path) -> None:
    """Write it as a service does that was running until a moment ago."""
    now = datetime.now(UTC)
    marks = [_mark(now, _BEGIN, Status.AVAILABLE, None, _GOOD)]
    for hours, minutes, failure in _TROUBLES:
        after = Status.UNAVAILABLE if failure else None
        reason = failure.reason if failure else None
        message = failure.message if failure else NOT_RUNNING
        marks.append(_mark(now, hours, after, reason, message))
        marks.append(_mark(now, hours - minutes / 60, Status.AVAILABLE, None, _GOOD))
    history = SqliteHistory(folder)
    history.append(list(_chain(marks)), now)
    history.close()


def _mark(
    now: datetime, hours: float, after: Status | None, reason: Reason | None, message: str
) -> HistoryEntry:
    at = now - timedelta(hours=hours)
    return HistoryEntry(at=at, before=None, after=after, reason=reason, message=message)


def _chain(marks: list[HistoryEntry]) -> Iterator[HistoryEntry]:
    yield marks[0]
    for before, mark in pairwise(marks):
        yield HistoryEntry(
            at=mark.at,
            before=before.after,
            after=mark.after,
            reason=mark.reason,
            message=mark.message,
        )
