"""`history`: the latest changes and the uptime, from the file of the service."""

from collections.abc import Collection, Mapping
from datetime import datetime

from msgspec.json import encode

from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.commands import HISTORY_LIMIT
from dstack_backend.app.cli.commands.history_table import as_text, history_report
from dstack_backend.app.cli.commands.stored import read_stored
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.parsers import parse_count, parse_one_of, quote
from dstack_backend.app.config.settings import load_history_folder
from dstack_backend.app.errors import UserError
from dstack_backend.domain.formatting import parse_time
from dstack_backend.domain.history import DEFAULT_KINDS, EntryKind

__all__ = ["run"]

MAX_LIMIT = 999_999


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Print the history, and return the exit code."""
    limit, since, until = _limit(options), _time("since", options), _time("until", options)
    kinds = _kinds(options)
    stored, now = read_stored(load_history_folder(environ, options)), SystemClock().utc()
    report = history_report(stored, now, limit, since=since, until=until, kinds=kinds)
    write_line(encode(report).decode() if "json" in options else as_text(report, stored))
    return 0


def _limit(options: Mapping[str, str]) -> int:
    try:
        return parse_count(1, MAX_LIMIT)(options.get("limit", HISTORY_LIMIT))
    except ValueError as exc:
        raise UserError("--limit", str(exc), HISTORY_LIMIT) from None


def _time(name: str, options: Mapping[str, str]) -> datetime | None:
    if name not in options:
        return None
    try:
        return parse_time(options[name])
    except ValueError:
        fault = f"{quote(options[name])} is not a time in ISO 8601"
        raise UserError(f"--{name}", fault, "2026-11-24T02:53:25Z") from None


def _kinds(options: Mapping[str, str]) -> Collection[EntryKind]:
    if "kind" not in options:
        return DEFAULT_KINDS
    parse = parse_one_of(*EntryKind)
    try:
        return {EntryKind(parse(each.strip())) for each in options["kind"].split(",")}
    except ValueError as exc:
        raise UserError("--kind", str(exc), "gpu_lost,gpu_found") from None
