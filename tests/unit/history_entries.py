"""History entries by the second in which they begin."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.domain import Reason, Status
from dstack_backend.domain.history import EntryKind, GapCause, HistoryEntry
from dstack_backend.testing.fakes import EPOCH

__all__ = ["at", "down", "gap", "up"]


def at(second: float) -> datetime:
    """Return the time of a second after `EPOCH`."""
    return EPOCH + timedelta(seconds=second)


def up(second: float, number: int = 0) -> HistoryEntry:
    """Return an entry: available from a second on."""
    return HistoryEntry(
        at=at(second),
        before=None,
        after=Status.AVAILABLE,
        reason=None,
        message="8 GPUs, 5 free",
        number=number,
    )


def down(second: float, number: int = 0) -> HistoryEntry:
    """Return an entry: unavailable from a second on."""
    return replace(
        up(second, number),
        after=Status.UNAVAILABLE,
        reason=Reason.TIMED_OUT,
        message="Connection error",
    )


def gap(second: float, cause: GapCause = GapCause.STOPPED, number: int = 0) -> HistoryEntry:
    """Return an entry: nothing is known from a second on."""
    entry = replace(up(second, number), after=None, gap=cause, message=cause.message)
    return replace(entry, kind=EntryKind.GAP)
