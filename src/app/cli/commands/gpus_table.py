"""The report of the command `gpus`: as a struct, and as tables."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import asdict, replace

from dstack_backend.app.cli.commands.stored import is_running
from dstack_backend.app.cli.output import format_table
from dstack_backend.app.errors import UserError
from dstack_backend.domain.formatting import (
    cut,
    format_duration,
    format_percent,
    format_time,
)
from dstack_backend.domain.gpu import (
    USE_WINDOWS,
    GpuCondition,
    GpuDetails,
    GpuReport,
    MissingGpuReport,
    UseReport,
    gpu_report,
)
from dstack_backend.domain.history import StoredHistory

__all__ = ["StoredGpuReport", "as_text", "stored_gpu_report"]

MAX_CELL = 40

_STATES = {GpuCondition.FREE: "free", GpuCondition.IN_USE: "in use"}
_ADVICE = (
    "Look for a missing GPU on the host: lspci -s SLOT, and in the kernel log\n"
    "dmesg | grep -i -e xid -e 'fallen off the bus'.\n"
    "Power the host off and on; a reboot is often not enough. If the card does not return,\n"
    "reseat it.\n"
    "If it was removed on purpose: dstack-backend gpus --forget SLOT"
)
_LEGEND = "Used is the share of the known time in which a GPU was in use."
_EMPTY = "dstack-backend doctor finds the cause."


class StoredGpuReport(GpuReport, frozen=True, kw_only=True):
    """The output as JSON: that of `/gpus`, and when the service was last known to run.

    `current` is false where the service does not run.
    """

    alive_at: datetime


def stored_gpu_report(stored: StoredHistory, now: datetime) -> StoredGpuReport:
    """Return the report of a stored history. GPUs that are to be forgotten are left out.

    Raises:
        UserError: No GPUs are known.
    """
    state, alive_at = stored.gpu_state, stored.alive_at
    if state is None or alive_at is None:
        fault = "no GPUs are known: no check has listed any since the history began"
        raise UserError("", fault, exit_code=1)
    is_current = is_running(stored, now) and state.seen_at == alive_at
    report = replace(gpu_report(state, stored.gpu_use(now)), current=is_current)
    return StoredGpuReport(**asdict(report), alive_at=alive_at)


def as_text(report: StoredGpuReport, now: datetime) -> str:
    """Return the report as lines for people."""
    parts, notes = [_summary(report)], [_validity(report, now)]
    if report.missing:
        rows = [_missing_row(each, now) for each in report.missing]
        header = ("missing", "model", "last seen (UTC)", "ago")
        parts += [format_table([header, *rows]), _ADVICE]
    if report.gpus:
        windows = (f"used {each}" for each in USE_WINDOWS)
        columns = ("slot", "model", "state", "since (UTC)", *windows)
        total = ("all GPUs", "", "", "", *_use(report.use))
        parts.append(format_table([columns, *map(_gpu_row, report.gpus), total]))
        notes.insert(0, _LEGEND)
    elif not report.missing:
        notes.insert(0, _EMPTY)
    return "\n\n".join([*parts, "\n".join(notes)])


def _summary(report: StoredGpuReport) -> str:
    count, missing = len(report.gpus), len(report.missing)
    free = sum(each.state is GpuCondition.FREE for each in report.gpus)
    listed = f"{count} GPU{'' if count == 1 else 's'}, {free} free" if count else "no GPU is listed"
    return f"{listed}, {missing} missing" if missing else listed


def _validity(report: StoredGpuReport, now: datetime) -> str:
    alive = f"The service was last known to run at {format_time(report.alive_at)} UTC, "
    alive += f"{_ago(report.alive_at, now)} ago"
    if report.current:
        return f"{alive}: the data are current."
    return (
        f"{alive}.\nThe data are not current: they are those of {format_time(report.seen_at)} UTC."
    )


def _missing_row(each: MissingGpuReport, now: datetime) -> tuple[str, ...]:
    name = each.model or each.product_id
    return (
        *(cut(each.slot, MAX_CELL), cut(name, MAX_CELL)),
        *(format_time(each.last_seen), _ago(each.last_seen, now)),
    )


def _gpu_row(each: GpuDetails) -> tuple[str, ...]:
    name, since = each.model or each.product_id, format_time(each.since)
    return (
        cut(each.slot, MAX_CELL),
        cut(name, MAX_CELL),
        _STATES[each.state],
        since,
        *_use(each.use),
    )


def _use(use: Mapping[str, UseReport]) -> list[str]:
    shares = [use[name].in_use_percent if name in use else None for name in USE_WINDOWS]
    return ["-" if share is None else format_percent(share) for share in shares]


def _ago(moment: datetime, now: datetime) -> str:
    return format_duration((now - moment).total_seconds())
