"""`history`: the latest changes and the uptime, from the file of the service."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from dstack_backend.app.cli.command import JSON, Command, Option
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config import table as t
from dstack_backend.app.config.parsers import parse_count, parse_one_of, quote
from dstack_backend.app.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

    from dstack_backend.domain.history import EntryKind

__all__ = ["COMMAND"]

DEFAULT_LIMIT, MAX_LIMIT = "20", 999_999


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from msgspec.json import encode  # noqa: PLC0415 - slow

    from dstack_backend.adapters.system_clock import SystemClock  # noqa: PLC0415 - slow
    from dstack_backend.app.cli.commands.history_table import as_text, history_report  # noqa: PLC0415 - slow
    from dstack_backend.app.cli.commands.stored import read_stored  # noqa: PLC0415 - slow
    from dstack_backend.app.config.settings import load_history_folder  # noqa: PLC0415 - slow

    limit, since, until = _limit(options), _time("since", options), _time("until", options)
    kinds = _kinds(options)
    stored, now = read_stored(load_history_folder(environ, options)), SystemClock().utc()
    report = history_report(stored, now, limit, since=since, until=until, kinds=kinds)
    write_line(encode(report).decode() if "json" in options else as_text(report, stored))
    return 0


def _limit(options: Mapping[str, str]) -> int:
    try:
        return parse_count(1, MAX_LIMIT)(options.get("limit", DEFAULT_LIMIT))
    except ValueError as exc:
        raise UserError("--limit", str(exc), DEFAULT_LIMIT) from None


def _time(name: str, options: Mapping[str, str]) -> "datetime | None":
    from dstack_backend.domain.formatting import parse_time  # noqa: PLC0415 - slow

    if name not in options:
        return None
    try:
        return parse_time(options[name])
    except ValueError:
        fault = f"{quote(options[name])} is not a time in ISO 8601"
        raise UserError(f"--{name}", fault, "2026-11-24T02:53:25Z") from None


def _kinds(options: Mapping[str, str]) -> "Collection[EntryKind]":
    from dstack_backend.domain.history import DEFAULT_KINDS, EntryKind  # noqa: PLC0415 - slow

    if "kind" not in options:
        return DEFAULT_KINDS
    parse = parse_one_of(*EntryKind)
    try:
        return {EntryKind(parse(each.strip())) for each in options["kind"].split(",")}
    except ValueError as exc:
        raise UserError("--kind", str(exc), "gpu_lost,gpu_found") from None


COMMAND = Command(
    name="history",
    summary="print the latest changes and the uptime",
    details="Exit code 0, or 1 if there is no history; 2 for a bad setting or option.",
    run=_run,
    settings=(t.DATA_DIR, t.HISTORY),
    options=(
        Option("limit", "N", f"number of changes at most (default: {DEFAULT_LIMIT})"),
        Option("since", "TIME", "only changes from then on; ISO 8601, without a zone in UTC"),
        Option("until", "TIME", "only changes before then"),
        Option("kind", "KINDS", "kinds, such as gpu_lost (default: all but the use of GPUs)"),
        JSON,
    ),
    example="--data-dir /var/lib/dstack-backend --since 2026-11-24",
)
