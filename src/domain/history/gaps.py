"""The entries for a time of which nothing is known."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from dstack_backend.domain.history.entry import GapCause, HistoryEntry, StoredHistory

__all__ = ["clock_rollback_gap", "merge_takeover", "restart_gap", "suspension_gap"]


def restart_gap(stored: StoredHistory, cause: GapCause = GapCause.STOPPED) -> HistoryEntry | None:
    """Return the gap entry for the time before this start: nothing is known after `alive_at`.

    Args:
        stored: What was written before.
        cause: Why nothing is known.

    Returns:
        The entry; `None` where nothing was written before, or it already ends with a gap.
    """
    last = stored.entries[-1] if stored.entries else None
    if last is None or last.after is None:
        return None
    return _gap(last, max(last.at, stored.alive_at or last.at), cause)


def suspension_gap(
    current: HistoryEntry | None, since: datetime, until: datetime
) -> list[HistoryEntry]:
    """Return the entries for a suspension: a gap, and the current entry again after it.

    Args:
        current: The entry that holds before and after; `None` where there is none yet.
        since: When the process was last known to run.
        until: When it continued.
    """
    return _interruption(current, since, until, GapCause.SUSPENDED)


def clock_rollback_gap(
    current: HistoryEntry | None, seen: datetime, now: datetime
) -> list[HistoryEntry]:
    """Return the entries for a clock that was set back: the current entry again, by the new time.

    If the new time is the wrong one, nothing is known from `seen` on.

    Args:
        current: The entry that holds; `None` where there is none yet.
        seen: The last time that the clock showed before.
        now: The time that it shows now.
    """
    return _interruption(current, seen, now, GapCause.CLOCK_SET_BACK)


def merge_takeover(
    stored: StoredHistory, ours: Sequence[HistoryEntry], now: datetime, cause: GapCause
) -> list[HistoryEntry]:
    """Return the history of a store that something else wrote to, continued by our own entries.

    What is stored holds until its `alive_at`. From then on our entries hold: of the earlier ones
    only the last, which is repeated at that time. Where there is no earlier one, a gap leads to the
    first of ours.

    Args:
        stored: What the store contains.
        ours: What this process has seen, in order.
        now: The present time. An `alive_at` that is later comes from a clock that was ahead, and
            none of our entries is left out.
        cause: Why nothing is known of the time between.
    """
    gap = restart_gap(stored, cause)
    end = gap.at if gap else stored.alive_at
    if end is None or end > now:
        return [*stored.entries, *([gap] if gap else []), *ours]
    earlier = [entry for entry in ours if entry.at < end]
    later = [entry for entry in ours if entry.at >= end]
    if earlier and earlier[-1].after is not None:
        return [*stored.entries, replace(earlier[-1], at=end, before=None), *later]
    return [*stored.entries, *([gap] if gap else []), *later]


def _interruption(
    current: HistoryEntry | None, since: datetime, until: datetime, cause: GapCause
) -> list[HistoryEntry]:
    if current is None:
        return []
    return [_gap(current, since, cause), replace(current, at=until, before=None)]


def _gap(last: HistoryEntry, at: datetime, cause: GapCause) -> HistoryEntry:
    return HistoryEntry(
        at=at, before=last.after, after=None, reason=None, gap=cause, message=cause.message
    )
