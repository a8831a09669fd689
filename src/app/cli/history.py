"""The command `history`: the latest changes and the uptime, read from the file of the service."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec.json import encode

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.history_table import HistoryReport, as_text, window_report
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import load_history_folder
from dstack_backend.domain.history import (
    HistoryEntry,
    HistoryError,
    StoredHistory,
    latest,
    uptime_windows,
)

__all__ = ["HistoryOptionError", "run"]

SHOWN, NOTHING = 0, 1
DEFAULT_LIMIT = "20"
LIMIT_DIGITS = 6


class HistoryOptionError(Exception):
    """An option that cannot be used. Its text is one line for the person who gave it."""


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Print the past; give 1, after a line on standard error, where there is none.

    Args:
        environ: The environment's variables.
        options: Settings; and `limit`, `since`, `until`, `json`.

    Raises:
        HistoryOptionError: An option cannot be used.
        UserError: A setting cannot be used.
    """
    limit = _limit(options.get("limit", DEFAULT_LIMIT))
    since, until = (_moment(name, options.get(name)) for name in ("since", "until"))
    try:
        stored = _stored(load_history_folder(environ, options))
        told = _tell(stored, latest(stored.entries, limit, since=since, until=until))
    except HistoryError as exc:
        sys.stderr.write(f"dstack-backend: there is no history to show: {exc}\n")
        return NOTHING
    end = None if until else told.alive_at
    text = encode(told).decode() if "json" in options else as_text(told, end)
    write_line(text)
    return SHOWN


def _stored(folder: Path | None) -> StoredHistory:
    if folder is None:
        raise HistoryError("HISTORY=off keeps none on disk")
    try:
        (folder / FILE).stat()
    except OSError as exc:
        why = (exc.strerror or "failed").lower()
        raise HistoryError(f"{FILE} in DATA_DIR={ascii(str(folder))[1:-1]}: {why}") from exc
    return read_history(folder)


def _tell(stored: StoredHistory, entries: list[HistoryEntry]) -> HistoryReport:
    if stored.alive_at is None:
        raise HistoryError("nothing is written yet")
    windows = uptime_windows(stored.entries, SystemClock().utc(), stored.alive_at)
    reports = [window_report(*each) for each in windows.items()]
    return HistoryReport(stored.alive_at, reports, entries)


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= LIMIT_DIGITS and int(text) > 0:
        return int(text)
    raise HistoryOptionError(f"--limit: {text[:40]!a} is not a number from 1 on; for example 20")


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (OverflowError, ValueError):
        fault = f"--{name}: {text[:40]!a} is not a time in ISO 8601"
        raise HistoryOptionError(f"{fault}; for example 2026-11-24T02:53:25Z") from None
