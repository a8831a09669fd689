"""The entries for a time of which nothing is known, and how two histories are joined."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.domain.history.entry import (
    EntryKind,
    GapCause,
    HistoryEntry,
    is_same_entry,
    status_entries,
)
from dstack_backend.domain.history.stored import StoredHistory
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["interruption", "last_shared", "merge_takeover", "restart_gap"]

MAX_CLOCK_SKEW = timedelta(seconds=30)
"""Clocks that differ by less are corrected now and then, which is no interruption."""


def restart_gap(stored: StoredHistory, cause: GapCause = GapCause.STOPPED) -> HistoryEntry | None:
    """Return the gap entry for the time before this start: nothing is known after `alive_at`.

    Args:
        stored: What was saved before.
        cause: Why nothing is known.

    Returns:
        The entry; `None` where nothing was saved before, or it already ends with a gap.
    """
    spans = status_entries(stored.entries)
    if not spans or spans[-1].after is None:
        return None
    last = spans[-1]
    return _gap(last, max(last.at, stored.alive_at or last.at), cause)


def interruption(
    current: HistoryEntry | None, seen: Timestamp, now: Timestamp
) -> list[HistoryEntry]:
    """Return the entries for a suspension or a clock that was set back: a gap, and `current` again.

    Where the wall clock ran ahead of the monotonic one, the machine or the process was suspended,
    or the clock was set forward. Where it fell behind, it was set back.

    Args:
        current: The entry that holds before and after; `None` where there is none yet.
        seen: When the process was last known to run.
        now: The present time.
    """
    ahead = now.utc - (seen + (now.monotonic - seen.monotonic)).utc
    if current is None or abs(ahead) <= MAX_CLOCK_SKEW:
        return []
    cause = GapCause.SUSPENDED if ahead > timedelta() else GapCause.CLOCK_SET_BACK
    return [_gap(current, seen.utc, cause), *_repeated([current], now.utc)]


def last_shared(stored: Sequence[HistoryEntry], own: Sequence[HistoryEntry]) -> int:
    """Return the number of the last stored entry that is also one of this process; 0 for none."""
    by_number = {entry.number: entry for entry in own}
    for entry in reversed(stored):
        found = by_number.get(entry.number)
        if found and is_same_entry(found, entry):
            return entry.number
    return 0


def merge_takeover(
    stored: StoredHistory,
    own: Sequence[HistoryEntry],
    now: datetime,
    cause: GapCause,
    shared: int = 0,
) -> list[HistoryEntry]:
    """Return the entries that continue a store to which this process did not write last.

    The stored entries hold until the store's `alive_at`, the entries of this process after it. Of
    the earlier ones only the last counts: it is repeated at `alive_at`, unless the store ends with
    the same status. Where there is no earlier one, a gap leads to the first later one.

    Args:
        stored: What the store contains.
        own: The changes of the status and the gaps of this process, in order, with their numbers.
        now: The present time. A later `alive_at` is from a clock that was ahead: then all entries
            count as later.
        cause: Why nothing is known of the time between.
        shared: Entries up to this number are in the store already; see `last_shared`.
    """
    gap = restart_gap(stored, cause)
    gaps = [gap] if gap else []
    end = gap.at if gap else stored.alive_at
    last = status_entries(stored.entries)[-1:]
    unsaved = [entry for entry in own if entry.number > shared]
    if end is None or end > now:
        if own and not unsaved and _statuses(own[-1:]) == _statuses(last):
            return []  # two processes whose clocks differ must not fill the store in turns
        return [*gaps, *(unsaved or _repeated(own[-1:], now))]
    later = [entry for entry in unsaved if entry.at >= end]
    earlier = [entry for entry in own if entry.at < end][-1:]
    if not earlier or earlier[0].after is None:
        return [*gaps, *later]
    is_same_status = _statuses(earlier) == _statuses(last)
    return later if is_same_status else [*_repeated(earlier, end), *later]


def _repeated(entries: Sequence[HistoryEntry], at: datetime) -> list[HistoryEntry]:
    return [replace(entry, at=at, before=None) for entry in entries]


def _statuses(entries: Sequence[HistoryEntry]) -> list[tuple[object, ...]]:
    return [(entry.after, entry.reason) for entry in entries]


def _gap(last: HistoryEntry, at: datetime, cause: GapCause) -> HistoryEntry:
    return HistoryEntry(
        kind=EntryKind.GAP, at=at, before=last.after, gap=cause, message=cause.message
    )
