"""Logs what the monitor observes: each change once, and at most a few lines for one check."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from dstack_backend.domain.check import Check
from dstack_backend.domain.formatting import format_time
from dstack_backend.domain.gpu import GpuChange, GpuChangeKind, GpuState, MissingGpu, gpu_name
from dstack_backend.domain.gpu.state import Key
from dstack_backend.domain.status import Change, Status

__all__ = ["LogObserver"]

MAX_GPU_LINES = 16
"""Lines about single GPUs for one check, and GPUs that one line names."""

_Line = tuple[int, str, Mapping[str, str]]
"""The level of a record, its message and its fields."""

_log = logging.getLogger(__name__)


class LogObserver:
    """Observes the monitor. Logs each change of the status once, and each check at debug."""

    def __init__(self) -> None:
        """Log nothing yet."""
        self._missing: Mapping[Key, MissingGpu] = {}

    def on_check(self, check: Check) -> None:
        """Log the check at level debug: a failure may repeat every few seconds."""
        result = check.failure.message if check.failure else "ok"
        _log.debug("check finished in %.3f s: %s", check.duration, result)

    def on_change(self, change: Change) -> None:
        """Log the new status, as a warning where it is unavailable or nothing is listed."""
        after = change.after
        fields = {"status": after.status, "reason": after.reason}
        if after.status is Status.UNAVAILABLE:
            _log.warning("unavailable (%s): %s", after.reason, after.message, extra=fields)
        else:
            is_empty = after.inventory is None or after.inventory.is_empty
            level = logging.WARNING if is_empty else logging.INFO
            _log.log(level, "available: %s", after.message, extra=fields)

    def on_gpus(self, gpus: GpuState) -> None:
        """Log each change of a GPU, and those that an earlier process lost and nothing lists."""
        lines = [_change_line(each) for each in gpus.changes]
        # Before a good check has finished, what an earlier process lost may be listed again.
        if gpus.missing is not self._missing and gpus.last_good:
            changed = {each.gpu.slot for each in gpus.changes}
            missing, self._missing = self._missing, gpus.missing
            if still := _without(gpus.missing, missing, changed):
                lines.append(_still_missing_line(still))
            lines += map(_forgotten_line, _without(missing, gpus.missing, changed))
        _log_lines(lines)


def _without(
    missing: Mapping[Key, MissingGpu], others: Collection[Key], changed: Collection[str]
) -> list[MissingGpu]:
    """Return the missing GPUs that are not among others, and that no change explains."""
    return [
        each for key, each in missing.items() if key not in others and each.gpu.slot not in changed
    ]


def _change_line(change: GpuChange) -> _Line:
    level = logging.DEBUG if change.kind.is_use else logging.INFO
    if change.kind in (GpuChangeKind.LOST, GpuChangeKind.REPLACED):
        level = logging.WARNING
    return level, f"GPU {change.message}", {"gpu": change.gpu.slot, "change": change.kind}


def _forgotten_line(each: MissingGpu) -> _Line:
    fields = {"gpu": each.gpu.slot, "change": "forgotten"}
    return logging.INFO, f"GPU forgotten: {_last_seen(each)}", fields


def _still_missing_line(gpus: Sequence[MissingGpu]) -> _Line:
    more = len(gpus) - MAX_GPU_LINES
    named = "; ".join(map(_last_seen, gpus[:MAX_GPU_LINES]))
    rest = f"; and {more} more" if more > 0 else ""
    return logging.WARNING, f"GPUs still missing since before this start: {named}{rest}", {}


def _last_seen(each: MissingGpu) -> str:
    return f"{gpu_name(each.gpu)}, last seen {format_time(each.last_seen)} UTC"


def _log_lines(lines: Iterable[_Line]) -> None:
    """Log the lines, the most severe ones first, and how many there are beyond the maximum."""
    enabled = [line for line in lines if _log.isEnabledFor(line[0])]
    enabled.sort(key=lambda line: line[0], reverse=True)
    for level, text, fields in enabled[:MAX_GPU_LINES]:
        _log.log(level, "%s", text, extra=fields)
    if more := enabled[MAX_GPU_LINES:]:
        _log.log(more[0][0], "and %d more changes of GPUs", len(more))
