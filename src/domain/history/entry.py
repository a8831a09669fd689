"""The past of a node: what changed when, and how much of a time it was up.

An entry begins a span that lasts until the next entry. What a span counts as:

| known as  | while                                                                              |
|-----------|------------------------------------------------------------------------------------|
| `up`      | the status was available                                                           |
| `down`    | the status was unavailable because a check failed                                  |
| `unknown` | nobody looked: we were not running, had not checked yet, or checking stood still   |

Unknown time is counted apart and never as up.

Entries are in the order in which they were written, and the wall clock may have been wrong when one
was. A second counts as what the entry says that was written last of those that are not later than
it. So an entry that a clock wrote which was ahead hides nothing that was written after it, and no
second counts twice. An entry from before `CLOCKS_ARE_SET` is from a clock that was not set yet, as
some are while a machine boots: nobody can say when it was. It is listed, and no time counts by it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate, pairwise

from msgspec import Struct

from dstack_backend.domain.change import Change
from dstack_backend.domain.failure import Reason
from dstack_backend.domain.status import Status

__all__ = [
    "MIN_VALID_TIME",
    "NOT_RUNNING",
    "WINDOWS",
    "HistoryEntry",
    "HistoryError",
    "Span",
    "SpanState",
    "Uptime",
    "entry_of",
    "spans",
    "timeline",
    "uptime",
]

NOT_RUNNING = "Not running: this service was stopped or its machine was off"

MIN_VALID_TIME = datetime(2025, 1, 1, tzinfo=UTC)
"""This service is younger, so a clock that shows an earlier time is not set."""

LONGEST_SENTENCE = 500
"""Characters. Ours are shorter; another source of GPUs may say more."""

WINDOWS = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
"""The times over which uptime is told, by their names."""


class HistoryError(Exception):
    """The past cannot be written or read now. The text is one line, without a path."""


class SpanState(StrEnum):
    """What a time counts as."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One change.

    Attributes:
        at: When it happened, by the wall clock.
        before: The status until then; `None` where nobody looked.
        after: The status from then on; `None` where nothing is known: we were not running, the
            clock was set back, or changes could not be kept.
        reason: Why it is unavailable from then on; `None` otherwise.
        sentence: The same for people.
        number: Its place in the order of writing, from 1; 0 before it is written.
    """

    at: datetime
    before: Status | None
    after: Status | None
    reason: Reason | None
    message: str
    number: int = 0

    @property
    def is_stop(self) -> bool:
        """We were not running from then on; nothing is known for another cause otherwise."""
        return self.after is None and self.message == NOT_RUNNING

    @property
    def known(self) -> SpanState:
        """What the time from then on counts as."""
        if self.after is Status.AVAILABLE:
            return SpanState.UP
        looked = self.after is not None and self.reason not in (Reason.STARTING, Reason.STALE)
        return SpanState.DOWN if looked else SpanState.UNKNOWN


class Span(Struct, frozen=True):
    """A time in which one thing was known.

    Attributes:
        start: Its first moment.
        end: The first moment after it.
        known: What it counts as.
    """

    start: datetime
    end: datetime
    known: SpanState


class Uptime(Struct, frozen=True):
    """How a time divides. The three add up to it.

    Attributes:
        up_seconds: Seconds in which the node was available.
        down_seconds: Seconds in which it was not.
        unknown_seconds: Seconds in which nobody looked.
    """

    up_seconds: float
    down_seconds: float
    unknown_seconds: float

    @property
    def up_percent(self) -> float | None:
        """The share of the known time in which the node was up; `None` where nothing is known."""
        looked = self.up_seconds + self.down_seconds
        return 100 * self.up_seconds / looked if looked else None

    @property
    def unknown_percent(self) -> float:
        """The share of the whole time in which nobody looked."""
        whole = self.up_seconds + self.down_seconds + self.unknown_seconds
        return 100 * self.unknown_seconds / whole if whole else 100.0


def entry_of(change: Change) -> HistoryEntry | None:
    """Give the entry for a change; `None` where neither status nor reason changed."""
    before, after = change.before, change.after
    if (before.status, before.reason) == (after.status, after.reason):
        return None
    return HistoryEntry(
        at=change.at.utc,
        before=None if before.reason is Reason.STARTING else before.status,
        after=after.status,
        reason=after.reason,
        message=after.message[:LONGEST_SENTENCE],
    )


def spans(
    entries: Sequence[HistoryEntry], since: datetime, until: datetime, alive_until: datetime
) -> list[Span]:
    """Divide the time from `since` to `until`, without a hole.

    Args:
        entries: In the order of writing, with the last one before `since` if there is one.
        since: The first moment.
        until: The first moment after.
        alive_until: Until when the last entry holds: from then on nobody looked.
    """
    marks = [(entry.at, entry.known) for entry in entries if entry.at >= MIN_VALID_TIME]
    last = marks[-1][0] if marks else since
    marks += [(max(last, alive_until), SpanState.UNKNOWN), (until, SpanState.UNKNOWN)]
    # Each begins when it says, or as early as the earliest of those that were written after it.
    begins = list(accumulate((at for at, _ in reversed(marks)), min))[::-1]
    found: list[Span] = []
    start, known = since, SpanState.UNKNOWN
    for end, (_, next_known) in zip(begins, marks, strict=True):
        if end > start:
            found.append(Span(start, end, known))
            start = end
        known = next_known
    return found


def uptime(parts: Iterable[Span]) -> Uptime:
    """Add up how the time of some spans divides."""
    seconds = dict.fromkeys(SpanState, 0.0)
    for part in parts:
        seconds[part.known] += (part.end - part.start).total_seconds()
    return Uptime(seconds[SpanState.UP], seconds[SpanState.DOWN], seconds[SpanState.UNKNOWN])


def timeline(parts: Sequence[Span], since: datetime, until: datetime, count: int) -> list[Uptime]:
    """Divide the time from `since` to `until` into equal slots, and each slot by what is known.

    Args:
        parts: Spans in order, as `spans` gives them.
        since: The first moment.
        until: The first moment after.
        count: How many slots.
    """
    edges = [since + (until - since) * number / count for number in range(count + 1)]
    slots: list[Uptime] = []
    position = 0
    for start, end in pairwise(edges):
        inside: list[Span] = []
        while position < len(parts) and parts[position].start < end:
            part = parts[position]
            inside.append(Span(max(part.start, start), min(part.end, end), part.known))
            if part.end > end:
                break
            position += 1
        slots.append(uptime(inside))
    return slots
