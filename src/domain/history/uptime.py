"""How much of a time a node was up, computed from the entries of its history.

Each second has the state of one entry: of those that are not later than the second, the one that
was written last. So an entry of a clock that was ahead hides nothing that was written after it, and
no second counts twice. An entry from before `MIN_VALID_TIME` is from a clock that was not set yet,
as happens while a machine boots: it is listed, but no time is computed from it.

Unknown time counts neither as up nor as down.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from msgspec import Struct

from dstack_backend.domain.history.entry import HistoryEntry, SpanState, status_entries
from dstack_backend.domain.timestamp import MIN_VALID_TIME

__all__ = ["WINDOWS", "Span", "Uptime", "record_start", "recorded_windows", "spans", "timeline"]
__all__ += ["uptime", "uptime_windows"]

WINDOWS = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
"""The windows of time for which uptime is reported, by name, the shortest first."""


class Span(Struct, frozen=True):
    """A time of one state.

    Attributes:
        start: Its first moment.
        end: The first moment after it.
        state: How it counts.
    """

    start: datetime
    end: datetime
    state: SpanState


class Uptime(Struct, frozen=True):
    """How a time is divided. The three values add up to its length.

    Attributes:
        up_seconds: Seconds in which the node was available.
        down_seconds: Seconds in which it was unavailable.
        unknown_seconds: Seconds of which nothing is known.
    """

    up_seconds: float
    down_seconds: float
    unknown_seconds: float

    @property
    def up_percent(self) -> float | None:
        """Share of the known time in which the node was up; `None` where nothing is known."""
        known = self.up_seconds + self.down_seconds
        return 100 * (self.up_seconds / known) if known else None

    @property
    def unknown_percent(self) -> float:
        """Share of the whole time of which nothing is known."""
        total = self.up_seconds + self.down_seconds + self.unknown_seconds
        return 100 * (self.unknown_seconds / total) if total else 100.0


def record_start(entries: Iterable[HistoryEntry]) -> datetime | None:
    """Return from when on the status is recorded; `None` before the first entry."""
    times = (entry.at for entry in status_entries(entries))
    return min((at for at in times if at >= MIN_VALID_TIME), default=None)


def recorded_windows(start: datetime | None, now: datetime) -> list[str]:
    """Return the windows that end now and of which more is recorded than of a shorter one.

    Args:
        start: From when on the status is recorded; `None` before the first entry.
        now: The present time.
    """
    found: list[str] = []
    if start is None:
        return found
    for name, length in WINDOWS.items():
        found.append(name)
        if start >= now - length:
            break
    return found


def spans(
    entries: Sequence[HistoryEntry], since: datetime, until: datetime, alive_until: datetime
) -> list[Span]:
    """Return the spans from `since` to `until`, without a hole.

    Args:
        entries: In the order of writing.
        since: The first moment.
        until: The first moment after.
        alive_until: Until when the last entry holds. Nothing is known after it.
    """
    changes = status_entries(entries)
    marks = [(entry.at, entry.state) for entry in changes if entry.at >= MIN_VALID_TIME]
    last = marks[-1][0] if marks else since
    marks += [(max(last, alive_until), SpanState.UNKNOWN), (until, SpanState.UNKNOWN)]
    # An entry that was written later takes over from its own time on, even from a later entry.
    starts = list(accumulate((at for at, _ in reversed(marks)), min))[::-1]
    found: list[Span] = []
    start, state = since, SpanState.UNKNOWN
    for at, (_, next_state) in zip(starts, marks, strict=True):
        end = min(at, until)
        if end > start:
            found.append(Span(start, end, state))
            start = end
        state = next_state
    return found


def uptime(parts: Iterable[Span]) -> Uptime:
    """Return how the time of some spans is divided."""
    seconds = dict.fromkeys(SpanState, 0.0)
    for part in parts:
        seconds[part.state] += (part.end - part.start).total_seconds()
    return Uptime(seconds[SpanState.UP], seconds[SpanState.DOWN], seconds[SpanState.UNKNOWN])


def timeline(parts: Sequence[Span], since: datetime, until: datetime, count: int) -> list[Uptime]:
    """Divide the time from `since` to `until` into equal slots, the oldest first.

    Args:
        parts: Spans in order, as `spans` returns them.
        since: The first moment.
        until: The first moment after.
        count: Number of slots.
    """
    edges = [since + (until - since) * number / count for number in range(count + 1)]
    slots: list[Uptime] = []
    position = 0
    for start, end in pairwise(edges):
        inside: list[Span] = []
        while position < len(parts) and parts[position].start < end:
            part = parts[position]
            if part.end > start:
                inside.append(Span(max(part.start, start), min(part.end, end), part.state))
            if part.end > end:
                break
            position += 1
        slots.append(uptime(inside))
    return slots


def uptime_windows(
    entries: Sequence[HistoryEntry], now: datetime, alive_until: datetime
) -> dict[str, Uptime]:
    """Return the uptime of each window of `WINDOWS` that ends at `now`.

    Args:
        entries: In the order of writing.
        now: The end of the windows.
        alive_until: Until when the last entry holds. Nothing is known after it.
    """
    parts = spans(entries, now - max(WINDOWS.values()), now, alive_until)
    return {name: timeline(parts, now - length, now, 1)[0] for name, length in WINDOWS.items()}
