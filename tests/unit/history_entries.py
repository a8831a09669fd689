"""Entries by the second in which they begin."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.domain import Reason, Status
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.testing.history_strategies import PAST_BEGINS

__all__ = ["at", "down", "up"]


def at(second: float) -> datetime:
    """A moment of the past."""
    return PAST_BEGINS + timedelta(seconds=second)


def up(second: float) -> HistoryEntry:
    """Available from a second on."""
    return HistoryEntry(
        at=at(second), before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs, 5 free"
    )


def down(second: float) -> HistoryEntry:
    """Unavailable from a second on."""
    return replace(
        up(second), after=Status.UNAVAILABLE, reason=Reason.TIMED_OUT, message="Connection error"
    )
