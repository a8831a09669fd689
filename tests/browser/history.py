"""A history as a node may have: three months with outages and gaps."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from msgspec.structs import replace

from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain import CheckFailure, HistoryEntry, Reason, Status
from dstack_backend.domain.history import GapCause

__all__ = ["write_history"]

# Hours ago, duration in minutes, and the failure or the gap.
_INTERRUPTIONS: tuple[tuple[float, float, CheckFailure | GapCause], ...] = (
    (1900, 4, CheckFailure(Reason.CONNECTION_REFUSED)),
    (1650, 190, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")),
    (1300, 1700, GapCause.STOPPED),
    (1100, 0.2, CheckFailure(Reason.CONNECTION_REFUSED)),
    (700, 25, CheckFailure(Reason.HTTP_ERROR, "500 Internal Server Error")),
    (420, 3, CheckFailure(Reason.CONNECTION_REFUSED)),
    (130, 260, GapCause.STOPPED),
    (97, 42, CheckFailure(Reason.CONNECTION_REFUSED)),
    (52, 6, CheckFailure(Reason.UNAUTHORIZED)),
    (19.2, 70, GapCause.SUSPENDED),
    (7.4, 11, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")),
)
_START = 2050
"""Hours ago."""


def write_history(folder: Path) -> None:
    """Write it as a service does that was running until now."""
    now = datetime.now(UTC)
    entries = [_available(now, _START)]
    for hours, minutes, cause in _INTERRUPTIONS:
        failure = cause if isinstance(cause, CheckFailure) else None
        entries += [
            HistoryEntry(
                at=now - timedelta(hours=hours),
                before=None,
                after=Status.UNAVAILABLE if failure else None,
                reason=failure.reason if failure else None,
                gap=None if isinstance(cause, CheckFailure) else cause,
                message=cause.message,
            ),
            _available(now, hours - minutes / 60),
        ]
    chained = [entries[0], *(replace(b, before=a.after) for a, b in pairwise(entries))]
    store = SqliteHistory(folder)
    store.append([replace(each, number=n) for n, each in enumerate(chained, 1)], now, None)
    store.close()


def _available(now: datetime, hours: float) -> HistoryEntry:
    at = now - timedelta(hours=hours)
    return HistoryEntry(
        at=at, before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs, 5 free"
    )
