"""The report of the command `history`: read from the file, as a struct, and as a table."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.errors import UserError
from dstack_backend.domain.formatting import (
    escape,
    format_duration,
    format_percent,
    format_time,
)
from dstack_backend.domain.history import (
    GapCause,
    HistoryEntry,
    HistoryError,
    StoredHistory,
    Uptime,
    latest,
    uptime_windows,
)

__all__ = ["HistoryReport", "WindowReport", "as_text", "read_report", "window_report"]

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


def read_report(
    folder: Path | None, limit: int, since: datetime | None, until: datetime | None
) -> HistoryReport:
    """Return the report of the history in a folder, with the latest entries.

    Raises:
        UserError: There is no history, or it cannot be read.
    """
    try:
        stored = _read(folder)
    except HistoryError as exc:
        fault = f"there is no history to show: {exc}"
        raise UserError("", fault, exit_code=1) from None
    alive_at = stored.alive_at or stored.entries[-1].at
    windows = uptime_windows(stored.entries, SystemClock().utc(), alive_at)
    entries = latest(reversed(stored.entries), limit, since=since, until=until)
    return HistoryReport(alive_at, [window_report(*each) for each in windows.items()], entries)


def _read(folder: Path | None) -> StoredHistory:
    if folder is None:
        raise HistoryError("with HISTORY=off none is kept on disk")
    try:
        (folder / FILE).stat()
    except OSError as exc:
        fault = (exc.strerror or "failed").lower()
        raise HistoryError(f"{FILE} in DATA_DIR={escape(str(folder))}: {fault}") from exc
    stored = read_history(folder)
    if not stored.entries and stored.alive_at is None:
        raise HistoryError("nothing is written yet")
    return stored


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
    changes = [_entry_row(*each) for each in zip(report.entries, ends, strict=False)]
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


def _entry_row(entry: HistoryEntry, end: datetime | None) -> tuple[str, ...]:
    status = entry.after or _GAPS.get(entry.gap, "unknown")
    lasted = format_duration((end - entry.at).total_seconds()) if end else ""
    text = f"{entry.reason}: {entry.message}" if entry.reason else entry.message
    return format_time(entry.at), str(status), lasted, escape(text)
