"""The past of a node: what changed when, and how much of a time it was up.

An entry begins a span that lasts until the next entry. What a span counts as:

| known as  | while                                                                              |
|-----------|------------------------------------------------------------------------------------|
| `up`      | the status was available                                                           |
| `down`    | the status was unavailable because a check failed                                  |
| `unknown` | nobody looked: we were not running, had not checked yet, or checking stood still   |

Unknown time is counted apart and never as up. Entries are in the order in which they were written.
Where the wall clock was set back between two of them, the later one counts from the earlier one's
time: no second counts twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.change import Change
from dstack_backend.domain.failure import Reason
from dstack_backend.domain.status import Status

__all__ = [
    "NOT_RUNNING",
    "WINDOWS",
    "HistoryEntry",
    "HistoryError",
    "Known",
    "Span",
    "Uptime",
    "absence",
    "entry_of",
    "gap_entry",
    "spans",
    "timeline",
    "uptime",
]

NOT_RUNNING = "Not running: this service was stopped or its machine was off"

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


class Known(StrEnum):
    """What a time counts as."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One change.

    Attributes:
        at: When it happened, by the wall clock.
        before: The status until then; `None` where nobody looked.
        after: The status from then on; `None` where we were not running.
        reason: Why it is unavailable from then on; `None` otherwise.
        sentence: The same for people.
        number: Its place in the order of writing, from 1; 0 before it is written.
    """

    at: datetime
    before: Status | None
    after: Status | None
    reason: Reason | None
    sentence: str
    number: int = 0

    @property
    def known(self) -> Known:
        """What the time from then on counts as."""
        if self.after is Status.AVAILABLE:
            return Known.UP
        looked = self.after is not None and self.reason not in (Reason.STARTING, Reason.STALE)
        return Known.DOWN if looked else Known.UNKNOWN


class Span(Struct, frozen=True):
    """A time in which one thing was known.

    Attributes:
        start: Its first moment.
        end: The first moment after it.
        known: What it counts as.
    """

    start: datetime
    end: datetime
    known: Known


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
        sentence=after.sentence[:LONGEST_SENTENCE],
    )


def gap_entry(last: HistoryEntry | None, alive_at: datetime | None) -> HistoryEntry | None:
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


def absence(holds: HistoryEntry | None, since: datetime, until: datetime) -> list[HistoryEntry]:
    """Give the entries for a time in which we stood still, as a machine does that is suspended.

    Args:
        holds: The last entry, which holds on afterwards; `None` where nothing is known yet.
        since: When we were last known to run.
        until: From when on we run again.
    """
    if holds is None:
        return []
    return [_stop(holds, since), replace(holds, at=until, before=None)]


def _stop(last: HistoryEntry, at: datetime) -> HistoryEntry:
    return HistoryEntry(at=at, before=last.after, after=None, reason=None, sentence=NOT_RUNNING)


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
    marks = [(entry.at, entry.known) for entry in entries]
    marks += [(alive_until, Known.UNKNOWN), (until, Known.UNKNOWN)]
    found: list[Span] = []
    start, known = since, Known.UNKNOWN
    for at, next_known in marks:
        end = min(at, until)
        if end > start:  # else the clock was set back: it counts from `start` on
            found.append(Span(start, end, known))
            start = end
        known = next_known
    return found


def uptime(parts: Iterable[Span]) -> Uptime:
    """Add up how the time of some spans divides."""
    seconds = dict.fromkeys(Known, 0.0)
    for part in parts:
        seconds[part.known] += (part.end - part.start).total_seconds()
    return Uptime(seconds[Known.UP], seconds[Known.DOWN], seconds[Known.UNKNOWN])


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
