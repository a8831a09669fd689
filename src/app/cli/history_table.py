"""The report of the command `history`: as a struct, which is its JSON, and as a table."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from dstack_backend.domain.formatting import format_duration, format_percent, format_time
from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime

__all__ = ["HistoryReport", "WindowReport", "as_text", "window_report"]

_LEGEND = (
    "Up is the share of the known time. Unknown is the time without checks: the service did not\n"
    "run, or its checks did not finish. It was last known to run at {} UTC."
)

_GAPS = {GapCause.STOPPED: "not running", GapCause.SUSPENDED: "suspended"}


class WindowReport(Struct, frozen=True):
    """The uptime of one window up to now; see `Uptime`."""

    window: str
    up_percent: float | None
    unknown_percent: float
    up_seconds: float
    down_seconds: float
    unknown_seconds: float


class HistoryReport(Struct, frozen=True):
    """All that the command prints. `alive_at` is when the service was last known to run."""

    alive_at: datetime
    windows: list[WindowReport]
    entries: list[HistoryEntry]


def window_report(name: str, total: Uptime) -> WindowReport:
    """Return the report of a window."""
    return WindowReport(
        name,
        None if total.up_percent is None else round(total.up_percent, 6),
        round(total.unknown_percent, 6),
        total.up_seconds,
        total.down_seconds,
        total.unknown_seconds,
    )


def as_text(report: HistoryReport, *, is_end_known: bool = True) -> str:
    """Return the report as lines for people.

    With `is_end_known`, the first entry held until `alive_at`: no later one is left out.
    """
    windows = [("last", "up", "down for", "unknown"), *map(_window_row, report.windows)]
    ends = [report.alive_at if is_end_known else None, *(entry.at for entry in report.entries)]
    changes = [
        (format_time(entry.at), _status(entry), _lasted(entry.at, end), _reason(entry))
        for entry, end in zip(report.entries, ends, strict=False)
    ]
    header = ("since (UTC)", "status", "lasted", "why")
    legend = _LEGEND.format(format_time(report.alive_at))
    return "\n\n".join([_table(windows), _table([header, *changes]), legend])


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _window_row(each: WindowReport) -> tuple[str, ...]:
    exact = Uptime(each.up_seconds, each.down_seconds, each.unknown_seconds)
    up = "-" if exact.up_percent is None else format_percent(exact.up_percent)
    down = format_duration(each.down_seconds) if each.down_seconds else "-"
    unknown = format_duration(each.unknown_seconds) if each.unknown_seconds else "-"
    if each.unknown_seconds:
        unknown += f" ({format_percent(exact.unknown_percent)})"
    return each.window, up, down, unknown


def _status(entry: HistoryEntry) -> str:
    if entry.after:
        return entry.after.value
    return _GAPS.get(entry.gap, "unknown") if entry.gap else "unknown"


def _lasted(start: datetime, end: datetime | None) -> str:
    return format_duration((end - start).total_seconds()) if end else ""


def _reason(entry: HistoryEntry) -> str:
    text = f"{entry.reason}: {entry.message}" if entry.reason else entry.message
    return "".join(char if char.isprintable() else " " for char in text)
