"""The rules 1 to 4: the state, and what changes it."""

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu.state import GpuState
from dstack_backend.domain.history import EntryKind, GpuEntry, HistoryEntry
from dstack_backend.domain.notification.event import Event, EventKind
from dstack_backend.domain.status import Status
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["NotifyPolicy", "NotifyState", "due_at", "on_empty_listing", "on_entry", "on_gap"]
__all__ += ["on_gpus", "take", "tell"]

FLAPPING = 3
"""Short outages in a row that are told."""

MAX_PAUSE = 1800.0
"""Seconds from the begin of a short outage to that of the next one in the row."""

MAX_WAITING = 100
"""Events that wait at most. The oldest ones are dropped."""


class NotifyPolicy(Struct, frozen=True, kw_only=True):
    """What an operator configures about messages.

    Attributes:
        after: Seconds for which the node is unavailable, or lists no GPU, before a message is sent.
        every: Least seconds between two batches of messages.
    """

    after: float = 60.0
    every: float = 300.0


class Trouble(Struct, frozen=True, kw_only=True):
    """What is told when it has lasted for a while: unavailability, or a listing without GPUs.

    Attributes:
        since: When it began.
        reason: Why the node is unavailable; the last one known.
        is_told: Whether a batch contained it.
    """

    since: Timestamp
    reason: Reason | None = None
    is_told: bool = False


class ShortOutages(Struct, frozen=True, kw_only=True):
    """Outages in a row that ended before they were told.

    Attributes:
        first: When the first one began.
        last: When the last one began.
        count: How many there were.
    """

    first: Timestamp
    last: Timestamp
    count: int = 1


class NotifyState(Struct, frozen=True, kw_only=True):
    """What has happened and was not taken yet.

    Attributes:
        outage: The present unavailability; `None` while there is none.
        empty: The listing without GPUs; `None` while there is none.
        has_gpus: Whether GPUs are known, so that the loss of each is told.
        short: The short outages since the last batch that contained such.
        waiting: Events for the next batch.
        last_taken: When the last batch was taken, in seconds on the monotonic clock.
    """

    outage: Trouble | None = None
    empty: Trouble | None = None
    has_gpus: bool = False
    short: ShortOutages | None = None
    waiting: tuple[Event, ...] = ()
    last_taken: float | None = None


def on_entry(
    state: NotifyState, entry: HistoryEntry, at: Timestamp, policy: NotifyPolicy
) -> NotifyState:
    """Return the state after a change of the status or of a GPU, or the begin of a gap."""
    if entry.gpu:
        return _on_gpu(replace(state, has_gpus=True), entry, entry.gpu)
    if entry.after is None:
        return on_gap(state)
    if entry.after is Status.AVAILABLE:
        return _end(state, state.outage, at, policy) if state.outage else state
    if state.outage:
        return replace(state, outage=replace(state.outage, reason=entry.reason))
    outage = Trouble(since=at, reason=entry.reason)
    return replace(state, outage=outage, empty=_if_told(state.empty))


def on_gap(state: NotifyState) -> NotifyState:
    """Return the state where nothing is known from now on: what is not told begins anew."""
    return replace(state, outage=_if_told(state.outage), empty=_if_told(state.empty))


def _if_told(trouble: Trouble | None) -> Trouble | None:
    return trouble if trouble and trouble.is_told else None


def on_gpus(state: NotifyState, gpus: GpuState) -> NotifyState:
    """Return the state after a good check, or after an earlier process's memory was restored."""
    at = gpus.last_good
    if gpus.is_known:
        after = replace(state, empty=None, has_gpus=True)
        told, count = _if_told(state.empty), len(gpus.inventory.gpus)
        if told and at and count:
            return tell(after, _end_of(told, EventKind.GPUS_LISTED, at, count))
        return after
    return state if state.has_gpus or at is None else on_empty_listing(state, at)


def on_empty_listing(state: NotifyState, at: Timestamp) -> NotifyState:
    """Return the state where no GPU is listed, and none is known that could be lost."""
    if state.outage or state.empty:
        return state
    return replace(state, empty=Trouble(since=at))


def _end(state: NotifyState, outage: Trouble, at: Timestamp, policy: NotifyPolicy) -> NotifyState:
    after = replace(state, outage=None)
    if not outage.is_told and at.monotonic - outage.since.monotonic < policy.after:
        return replace(after, short=_longer(state.short, outage.since))
    return tell(after, _end_of(outage, EventKind.AVAILABLE, at))


def _end_of(trouble: Trouble, kind: EventKind, at: Timestamp, count: int = 1) -> Event:
    return Event(
        kind=kind,
        at=at.utc,
        since=trouble.since.utc,
        seconds=at.monotonic - trouble.since.monotonic,
        reason=trouble.reason,
        count=count,
    )


def _longer(row: ShortOutages | None, since: Timestamp) -> ShortOutages:
    """Return the row with one more outage, or a new row."""
    if row and (_is_flapping(row) or since.monotonic - row.last.monotonic <= MAX_PAUSE):
        return replace(row, last=since, count=row.count + 1)
    return ShortOutages(first=since, last=since)


def _is_flapping(row: ShortOutages | None) -> bool:
    return row is not None and row.count >= FLAPPING


def _on_gpu(state: NotifyState, entry: HistoryEntry, gpu: GpuEntry) -> NotifyState:
    since = gpu.last_seen
    if entry.kind is EntryKind.GPU_LOST:
        event = Event(kind=EventKind.GPU_LOST, at=entry.at, since=since, gpu=gpu)
    elif entry.kind is EntryKind.GPU_REPLACED:
        event = Event(kind=EventKind.GPU_REPLACED, at=entry.at, gpu=gpu)
    elif since:
        seconds = (entry.at - since).total_seconds()
        kind = EventKind.GPU_RETURNED
        event = Event(kind=kind, at=entry.at, since=since, seconds=seconds, gpu=gpu)
    else:
        return state
    return tell(state, event)


def tell(state: NotifyState, event: Event) -> NotifyState:
    """Return the state with one more event for the next batch."""
    return replace(state, waiting=(*state.waiting, event)[-MAX_WAITING:])


def due_at(state: NotifyState, policy: NotifyPolicy) -> float | None:
    """Return when `take` returns events, in seconds on the monotonic clock; `None` for never."""
    if state.waiting or _is_flapping(state.short):
        ready = float("-inf")
    else:
        ready = min(_told_at(state.outage, policy), _told_at(state.empty, policy))
    if ready == float("inf"):
        return None
    return ready if state.last_taken is None else max(ready, state.last_taken + policy.every)


def _told_at(trouble: Trouble | None, policy: NotifyPolicy) -> float:
    if trouble is None or trouble.is_told:
        return float("inf")
    return trouble.since.monotonic + (0.0 if trouble.reason is Reason.STALE else policy.after)


def take(
    state: NotifyState, now: float, policy: NotifyPolicy
) -> tuple[NotifyState, tuple[Event, ...]]:
    """Return the events that are due at `now` (seconds, monotonic), and the state without them."""
    due = due_at(state, policy)
    if due is None or due > now:
        return state, ()
    events, short = list(state.waiting), state.short
    outage, empty = state.outage, state.empty
    if short and _is_flapping(short):
        first, last = short.first.utc, short.last.utc
        events.append(Event(kind=EventKind.FLAPPING, at=last, since=first, count=short.count))
        short = None
    if outage and _told_at(outage, policy) <= now:
        outage = replace(outage, is_told=True)
        event = Event(kind=EventKind.UNAVAILABLE, at=outage.since.utc, reason=outage.reason)
        events.append(event)
    if empty and _told_at(empty, policy) <= now:
        empty = replace(empty, is_told=True)
        events.append(Event(kind=EventKind.NO_GPUS, at=empty.since.utc))
    after = replace(state, outage=outage, empty=empty, short=short, waiting=(), last_taken=now)
    return after, tuple(events)
