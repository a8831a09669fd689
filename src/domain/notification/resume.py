"""Rule 5: what an earlier process told follows from its history."""

from dstack_backend.domain.gpu.state import StoredGpus
from dstack_backend.domain.history import EntryGroup, EntryKind, StoredHistory
from dstack_backend.domain.notification.event import Event, EventKind
from dstack_backend.domain.notification.rules import (
    NotifyPolicy,
    NotifyState,
    due_at,
    on_empty_listing,
    on_entry,
    on_gap,
    take,
    tell,
)
from dstack_backend.domain.status import Status
from dstack_backend.domain.timestamp import MIN_VALID_TIME, Timestamp

__all__ = ["resume"]

MAX_REPLAYED = 1000
"""Stored entries, from the last one back, that a new process looks at."""


def resume(stored: StoredHistory, now: Timestamp, policy: NotifyPolicy) -> NotifyState:
    """Return the state that an earlier process left, and that the service was off since then."""
    alive_at = stored.alive_at
    if alive_at is None:
        return NotifyState()
    off = (now.utc - alive_at).total_seconds()
    stopped = now.monotonic - max(0.0, off)
    state = _replay(stored, Timestamp(stopped, alive_at), policy)
    if off > policy.after and alive_at >= MIN_VALID_TIME:
        kind = EventKind.NOT_RUNNING
        state = tell(state, Event(kind=kind, at=now.utc, since=alive_at, seconds=off))
    return state


def _replay(stored: StoredHistory, end: Timestamp, policy: NotifyPolicy) -> NotifyState:
    """Return the state of a process that ended at `end`."""
    state, is_running, last = NotifyState(), False, float("-inf")
    # Where GPUs were known and none is now, an operator has forgotten them.
    listed_none = stored.gpus == StoredGpus() and not any(each.gpu for each in stored.entries)
    told = [each for each in stored.entries if each.kind.group is not EntryGroup.USE]
    for entry in told[-MAX_REPLAYED:]:
        age = (end.utc - entry.at).total_seconds()
        at = Timestamp(max(last, end.monotonic - max(0.0, age)), entry.at)
        if is_running:
            state = _taken(state, last, at.monotonic, policy)
        state = on_entry(state, entry, at, policy)
        if listed_none and entry.after is Status.AVAILABLE:
            state = on_empty_listing(state, at)
        is_running, last = entry.kind is not EntryKind.GAP, at.monotonic
    return on_gap(_taken(state, last, end.monotonic, policy) if is_running else state)


def _taken(state: NotifyState, start: float, end: float, policy: NotifyPolicy) -> NotifyState:
    """Return the state after each batch that was due from `start` to `end` was taken."""
    while (due := due_at(state, policy)) is not None and due <= end:
        state, _ = take(state, max(start, due), policy)
    return state
