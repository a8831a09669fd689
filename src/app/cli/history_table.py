"""What the command `history` tells: as values, which are its JSON, and as a table for people."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime

__all__ = ["HistoryReport", "WindowReport", "as_text", "window_report"]

_LEGEND = (
    "Up is the share of the known time. Unknown is the time in which nobody looked, as this\n"
    "service did not run or its checks stood still. It was last known to run at {} UTC."
)


class WindowReport(Struct, frozen=True):
    """How a time up to now divides.

    Attributes:
        window: Its name.
        up_percent: Share of the known time in which the node was available; `None` where nothing
            is known.
        unknown_percent: Share of the whole time in which nobody looked.
        up_seconds: Seconds in which it was available.
        down_seconds: Seconds in which it was not.
        unknown_seconds: Seconds in which nobody looked.
    """

    window: str
    up_percent: float | None
    unknown_percent: float
    up_seconds: float
    down_seconds: float
    unknown_seconds: float


class HistoryReport(Struct, frozen=True):
    """All of it.

    Attributes:
        alive_at: When the service was last known to run.
        windows: The uptime, the shortest window first.
        entries: The changes, the last written first.
    """

    alive_at: datetime
    windows: list[WindowReport]
    entries: list[HistoryEntry]


def window_report(name: str, total: Uptime) -> WindowReport:
    """Give the figures of a window."""
    return WindowReport(
        name,
        None if total.up_percent is None else round(total.up_percent, 6),
        round(total.unknown_percent, 6),
        total.up_seconds,
        total.down_seconds,
        total.unknown_seconds,
    )


def as_text(told: HistoryReport, end: datetime | None) -> str:
    """Give it as lines for people.

    Args:
        told: What is told.
        end: Until when the first of the changes held; `None`: that is not known here.
    """
    windows = [("last", "up", "down for", "unknown"), *map(_window_row, told.windows)]
    ends = [end, *(entry.at for entry in told.entries)]
    changes = [
        (_time(entry.at), _word(entry), _lasted(entry.at, until), _why(entry))
        for entry, until in zip(told.entries, ends, strict=False)
    ]
    header = ("since (UTC)", "status", "lasted", "why")
    blocks = [_table(windows), _table([header, *changes]), _LEGEND.format(_time(told.alive_at))]
    return "\n\n".join(blocks)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _window_row(each: WindowReport) -> tuple[str, ...]:
    exact = Uptime(each.up_seconds, each.down_seconds, each.unknown_seconds)
    down = _duration(each.down_seconds) if each.down_seconds else "-"
    unknown = _duration(each.unknown_seconds) if each.unknown_seconds else "-"
    if each.unknown_seconds:
        unknown += f" ({_percent(exact.unknown_percent)})"
    return each.window, _percent(exact.up_percent), down, unknown


def _percent(value: float | None) -> str:
    """Write a share; what is not all never reads as all, and what is not nothing not as nothing."""
    if value is None:
        return "-"
    if 0 < value < 0.01:  # noqa: PLR2004 - the smallest that is shown
        return "< 0.01 %"
    return f"{math.floor(value * 100) / 100:.2f} %"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _word(entry: HistoryEntry) -> str:
    if entry.after:
        return entry.after.value
    return "not running" if entry.gap is GapCause.STOPPED else "unknown"


def _why(entry: HistoryEntry) -> str:
    text = f"{entry.reason}: {entry.message}" if entry.reason else entry.message
    return "".join(char if char.isprintable() else " " for char in text)


def _lasted(start: datetime, end: datetime | None) -> str:
    return _duration((end - start) / timedelta(seconds=1)) if end else ""


def _duration(seconds: float) -> str:
    """Write a length of time with its two largest units."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, unit in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, unit)
        parts.append(f"{count} {name}" if count else "")
    first = next((place for place, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(part for part in parts[first : first + 2] if part) or "0 s"
