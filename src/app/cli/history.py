"""The command `history`: the latest changes and the uptime, read from the file of the service."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec.json import encode

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.history_table import HistoryReport, as_text, window_report
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import load_history_folder
from dstack_backend.app.errors import UserError
from dstack_backend.domain.formatting import parse_time
from dstack_backend.domain.history import HistoryError, StoredHistory, latest, uptime_windows

__all__ = ["run"]

NO_HISTORY = 1
DEFAULT_LIMIT = "20"
LIMIT_DIGITS = 6


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Print the history, and return exit code 0.

    Args:
        environ: The environment's variables.
        options: Settings; and `limit`, `since`, `until`, `json`.

    Raises:
        UserError: An option or a setting cannot be used, or there is no history.
    """
    limit = _limit(options.get("limit", DEFAULT_LIMIT))
    since, until = (_time(name, options.get(name)) for name in ("since", "until"))
    try:
        stored = _stored(load_history_folder(environ, options))
    except HistoryError as exc:
        fault = f"there is no history to show: {exc}"
        raise UserError("", fault, exit_code=NO_HISTORY) from None
    alive_at = stored.alive_at or stored.entries[-1].at
    windows = uptime_windows(stored.entries, SystemClock().utc(), alive_at)
    entries = latest(stored.entries, limit, since=since, until=until)
    report = HistoryReport(alive_at, [window_report(*each) for each in windows.items()], entries)
    is_json = "json" in options
    write_line(encode(report).decode() if is_json else as_text(report, is_end_known=not until))
    return 0


def _stored(folder: Path | None) -> StoredHistory:
    if folder is None:
        raise HistoryError("with HISTORY=off none is kept on disk")
    try:
        (folder / FILE).stat()
    except OSError as exc:
        fault = (exc.strerror or "failed").lower()
        raise HistoryError(f"{FILE} in DATA_DIR={ascii(str(folder))[1:-1]}: {fault}") from exc
    stored = read_history(folder)
    if not stored.entries and stored.alive_at is None:
        raise HistoryError("nothing is written yet")
    return stored


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= LIMIT_DIGITS and int(text) > 0:
        return int(text)
    raise UserError("--limit", f"{text[:40]!a} is not a number from 1 on", "20")


def _time(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        fault = f"{(text or '')[:40]!a} is not a time in ISO 8601"
        raise UserError(f"--{name}", fault, "2026-11-24T02:53:25Z") from None
