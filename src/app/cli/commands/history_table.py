"""The report of the command `history`: as a struct, and as a table."""

from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from dstack_backend.app.cli.output import format_table
from dstack_backend.domain.formatting import (
    escape,
    format_duration,
    format_percent,
    format_time,
)
from dstack_backend.domain.history import (
    DEFAULT_KINDS,
    EntryKind,
    GapCause,
    HistoryEntry,
    StoredHistory,
    Uptime,
    latest,
    status_entries,
    uptime_windows,
)

__all__ = ["HistoryReport", "WindowReport", "as_text", "history_report", "window_report"]

_LEGEND = (
    "Up is the share of the known time. Unknown is the time without checks: the service did not\n"
    "run, or its checks did not finish. It was last known to run at {} UTC."
)
_GAPS: dict[GapCause | None, str] = {
    GapCause.STOPPED: "not running",
    GapCause.SUSPENDED: "suspended",
}


class WindowReport(Struct, frozen=True):
    """The uptime of one window up to now; see `Uptime`."""

    window: str
    up_percent: float | None
    unknown_percent: float
    up_seconds: float
    down_seconds: float
    unknown_seconds: float


class HistoryReport(Struct, frozen=True):
    """The output as JSON. `alive_at` is when the service was last known to run."""

    alive_at: datetime
    windows: list[WindowReport]
    entries: list[HistoryEntry]


def history_report(
    stored: StoredHistory,
    now: datetime,
    limit: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Collection[EntryKind] = DEFAULT_KINDS,
) -> HistoryReport:
    """Return the report of a stored history up to now. The options are those of `latest`."""
    alive_at = stored.alive_at or stored.entries[-1].at
    windows = uptime_windows(status_entries(stored.entries), now, alive_at)
    entries = latest(reversed(stored.entries), limit, since=since, until=until, kinds=kinds)
    return HistoryReport(alive_at, [window_report(*each) for each in windows.items()], entries)


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


def as_text(report: HistoryReport, stored: StoredHistory) -> str:
    """Return the report of a stored history as lines for people.

    A change of the status lasted until the next one, also where that is not in the report.
    """
    windows = [("last", "up", "down for", "unknown"), *map(_window_row, report.windows)]
    spans = status_entries(stored.entries)
    ends = [*(each.at for each in spans[1:]), report.alive_at]
    lasted = {
        each.number: format_duration((end - each.at).total_seconds())
        for each, end in zip(spans, ends, strict=False)
    }
    changes = [_entry_row(each, lasted.get(each.number, "")) for each in report.entries]
    header = ("since (UTC)", "status", "lasted", "why")
    legend = _LEGEND.format(format_time(report.alive_at))
    return "\n\n".join([format_table(windows), format_table([header, *changes]), legend])


def _window_row(each: WindowReport) -> tuple[str, ...]:
    exact = Uptime(each.up_seconds, each.down_seconds, each.unknown_seconds)
    up = "-" if exact.up_percent is None else format_percent(exact.up_percent)
    down = format_duration(each.down_seconds) if each.down_seconds else "-"
    unknown = format_duration(each.unknown_seconds) if each.unknown_seconds else "-"
    if each.unknown_seconds:
        unknown += f" ({format_percent(exact.unknown_percent)})"
    return each.window, up, down, unknown


def _entry_row(entry: HistoryEntry, lasted: str) -> tuple[str, ...]:
    status = "" if entry.gpu else str(entry.after or _GAPS.get(entry.gap, "unknown"))
    text = f"{entry.reason}: {entry.message}" if entry.reason else entry.message
    return format_time(entry.at), status, lasted, escape(text)
