"""What operators are told, and when. Pure: events come in, batches of them go out.

1. Unavailability is worth a message when it has lasted for `after` seconds; checks that are stale
   are worth one at once, as they have been late for long. The return is worth a message where the
   unavailability was. Outages that end sooner are counted, and named in the next message. Three
   of them are worth one: the node flaps.
2. A GPU that is lost or has returned is worth a message at once. Its loss is confirmed already.
3. There is one message every `every` seconds at most. What happens in between is in the next one.
4. A restart of the service is no event: the time before the first check is not reported.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import Gpu, GpuChange, GpuChangeKind, GpuState
from dstack_backend.domain.status import Change, Status
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Event", "EventKind", "Message", "NotifyPolicy", "NotifyState"]
__all__ += ["due_at", "on_change", "on_gpus", "take"]

FLAPPING = 3
"""Outages too short for a message after which one is sent."""

MAX_WAITING = 100
"""Events that wait at most. Older ones are dropped: a node that loses more is in the next ones."""


class EventKind(StrEnum):
    """What happened."""

    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    GPU_LOST = "gpu_lost"
    GPU_RETURNED = "gpu_returned"
    SHORT_OUTAGES = "short_outages"


class Event(Struct, frozen=True, kw_only=True):
    """Something that operators are told.

    Attributes:
        kind: What happened.
        at: Since when; for a return, when it happened.
        reason: Why the node is unavailable, or was until its return.
        message: The same as the check reported it.
        seconds: How long the unavailability lasted, or the GPU was missing, when it is over.
        gpu: The GPU.
        count: How many short outages there were.
    """

    kind: EventKind
    at: datetime
    reason: Reason | None = None
    message: str = ""
    seconds: float | None = None
    gpu: Gpu | None = None
    count: int = 1


class Message(Struct, frozen=True):
    """A message.

    Attributes:
        title: One line.
        body: Plain text.
    """

    title: str
    body: str


class NotifyPolicy(Struct, frozen=True, kw_only=True):
    """What an operator configures.

    Attributes:
        after: Seconds of unavailability before a message.
        every: Seconds between two messages at least.
    """

    after: float = 60.0
    every: float = 300.0


class Outage(Struct, frozen=True, kw_only=True):
    """The present unavailability.

    Attributes:
        since: When it began.
        reason: Why; the last one known.
        message: The same as the check reported it.
        is_told: Whether it is among the events.
    """

    since: Timestamp
    reason: Reason
    message: str
    is_told: bool = False


class NotifyState(Struct, frozen=True, kw_only=True):
    """What has happened and was not taken yet.

    Attributes:
        outage: The present unavailability; `None` while available, and before the first check.
        waiting: Events for the next message.
        last_taken: When the last batch was taken, in seconds on the monotonic clock.
        short_outages: Outages since the last batch that were too short for a message.
        last_short: When the last of them began.
    """

    outage: Outage | None = None
    waiting: tuple[Event, ...] = ()
    last_taken: float | None = None
    short_outages: int = 0
    last_short: datetime | None = None


def on_change(state: NotifyState, change: Change, policy: NotifyPolicy) -> NotifyState:
    """Return the state after a change of the status."""
    after = change.after
    if after.status is Status.AVAILABLE:
        return _end(state, state.outage, change.at, policy) if state.outage else state
    if after.reason is None or after.reason is Reason.STARTING:
        return state
    if state.outage is None:
        outage = Outage(since=change.at, reason=after.reason, message=after.message)
    else:
        outage = replace(state.outage, reason=after.reason, message=after.message)
    return replace(state, outage=outage)


def _end(state: NotifyState, outage: Outage, at: Timestamp, policy: NotifyPolicy) -> NotifyState:
    if not outage.is_told and at.monotonic < _told_at(outage, policy):
        return replace(
            state,
            outage=None,
            short_outages=state.short_outages + 1,
            last_short=outage.since.utc,
        )
    event = Event(
        kind=EventKind.AVAILABLE,
        at=at.utc,
        reason=outage.reason,
        seconds=at.monotonic - outage.since.monotonic,
    )
    return replace(state, outage=None, waiting=_bounded([*state.waiting, event]))


def on_gpus(state: NotifyState, gpus: GpuState) -> NotifyState:
    """Return the state after a check that listed GPUs."""
    events = [_gpu_event(change, change.last_seen) for change in gpus.changes if change.last_seen]
    return replace(state, waiting=_bounded([*state.waiting, *events])) if events else state


def _gpu_event(change: GpuChange, last_seen: datetime) -> Event:
    if change.kind is GpuChangeKind.LOST:
        return Event(kind=EventKind.GPU_LOST, at=last_seen, gpu=change.gpu)
    seconds = (change.at - last_seen).total_seconds()
    return Event(kind=EventKind.GPU_RETURNED, at=change.at, seconds=seconds, gpu=change.gpu)


def due_at(state: NotifyState, policy: NotifyPolicy) -> float | None:
    """Return when `take` returns events, in seconds on the monotonic clock; `None` for never."""
    is_flapping = state.short_outages >= FLAPPING
    ready = float("-inf") if state.waiting or is_flapping else None
    outage = state.outage
    if outage and not outage.is_told:
        told = _told_at(outage, policy)
        ready = told if ready is None else min(ready, told)
    if ready is None or state.last_taken is None:
        return ready
    return max(ready, state.last_taken + policy.every)


def take(
    state: NotifyState, now: Timestamp, policy: NotifyPolicy
) -> tuple[NotifyState, tuple[Event, ...]]:
    """Return the events for a message that is due at `now`, and the state without them."""
    due = due_at(state, policy)
    if due is None or due > now.monotonic:
        return state, ()
    events, outage = list(state.waiting), state.outage
    if outage and not outage.is_told and _told_at(outage, policy) <= now.monotonic:
        outage = replace(outage, is_told=True)
        events.append(
            Event(
                kind=EventKind.UNAVAILABLE,
                at=outage.since.utc,
                reason=outage.reason,
                message=outage.message,
            )
        )
    if state.short_outages and state.last_short:
        events.append(
            Event(kind=EventKind.SHORT_OUTAGES, at=state.last_short, count=state.short_outages)
        )
    return NotifyState(outage=outage, last_taken=now.monotonic), tuple(events)


def _told_at(outage: Outage, policy: NotifyPolicy) -> float:
    wait = 0.0 if outage.reason is Reason.STALE else policy.after
    return outage.since.monotonic + wait


def _bounded(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(events)[-MAX_WAITING:]
