"""The entries for a time of which nothing is known: stopped, asleep, clock set, disk full."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from dstack_backend.domain.history.entry import NOT_RUNNING, HistoryEntry

__all__ = [
    "NOT_KEPT",
    "SET_BACK",
    "clock_rollback_gap",
    "merge_takeover",
    "overflow_gap",
    "restart_gap",
    "suspension_gap",
]

SET_BACK = "Not known: the clock was ahead until it was set back"
NOT_KEPT = "Not kept: the disk could not be written for too long"


def restart_gap(last: HistoryEntry | None, alive_at: datetime | None) -> HistoryEntry | None:
    """Give the entry that a new start owes to the past: from `alive_at` on we did not run.

    Args:
        last: The last entry that was written.
        alive_at: When we were last known to run.

    Returns:
        The entry; `None` where there is no past, or it ends with such an entry.
    """
    if last is None or last.after is None:
        return None
    return _stop(last, max(last.at, alive_at or last.at))


def suspension_gap(
    holds: HistoryEntry | None, since: datetime, until: datetime
) -> list[HistoryEntry]:
    """Give the entries for a time in which we stood still, as a machine does that is suspended.

    Args:
        holds: The last entry, which holds on afterwards; `None` where nothing is known yet.
        since: When we were last known to run.
        until: From when on we run again.
    """
    return _interruption(holds, since, until, NOT_RUNNING)


def clock_rollback_gap(
    holds: HistoryEntry | None, seen: datetime, now: datetime
) -> list[HistoryEntry]:
    """Give the entries for a clock that was set back: what holds is said again by the new time.

    Should the new time be the wrong one, then from `seen` on nothing is known.

    Args:
        holds: The last entry; `None` where nothing is known yet.
        seen: What the clock showed last before.
        now: What it shows now.
    """
    return _interruption(holds, seen, now, SET_BACK)


def overflow_gap(first: HistoryEntry) -> HistoryEntry:
    """Give the entry that stands for lost ones, of which `first` is the first."""
    return replace(first, after=None, reason=None, message=NOT_KEPT)


def merge_takeover(
    gap: HistoryEntry, pending: Sequence[HistoryEntry], now: datetime
) -> list[HistoryEntry]:
    """Give what is left of `pending` where another service wrote until the gap.

    That one saw what it wrote. Of what we saw meanwhile, only the last still holds at the gap.

    Args:
        gap: From when on the other one does not run.
        pending: What we saw, in order.
        now: A gap that is later is from a clock that was ahead, and nothing is left out.
    """
    seen = [entry for entry in pending if entry.at < gap.at]
    if not seen or gap.at > now:
        return list(pending)
    return [replace(seen[-1], at=gap.at, before=None), *(e for e in pending if e.at >= gap.at)]


def _interruption(
    holds: HistoryEntry | None, since: datetime, until: datetime, message: str
) -> list[HistoryEntry]:
    if holds is None:
        return []
    return [_stop(holds, since, message), replace(holds, at=until, before=None)]


def _stop(last: HistoryEntry, at: datetime, message: str = NOT_RUNNING) -> HistoryEntry:
    return HistoryEntry(at=at, before=last.after, after=None, reason=None, message=message)
