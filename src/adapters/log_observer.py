"""Logs what the monitor observes: each change once, and at most a few lines for one check."""

import logging
from collections.abc import Collection, Mapping, Sequence

from dstack_backend.domain.check import Check
from dstack_backend.domain.formatting import format_time
from dstack_backend.domain.gpu import GpuChange, GpuChangeKind, GpuState, MissingGpu, gpu_name
from dstack_backend.domain.gpu.state import Key
from dstack_backend.domain.status import Change, Status

__all__ = ["LogObserver"]

MAX_GPU_LINES = 16
"""Lines about single GPUs for one check, and GPUs that one line names."""

_LEVELS = {
    GpuChangeKind.LOST: logging.WARNING,
    GpuChangeKind.REPLACED: logging.WARNING,
    GpuChangeKind.FOUND: logging.INFO,
    GpuChangeKind.ALLOCATED: logging.DEBUG,
    GpuChangeKind.RELEASED: logging.DEBUG,
}

_Event = GpuChange | MissingGpu
"""A change, or a GPU that counts as missing no longer without being listed."""

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
        events: list[_Event] = [*gpus.changes]
        # Before a good check has finished, what an earlier process lost may be listed again.
        if gpus.missing is not self._missing and gpus.last_good:
            changed = {each.gpu.slot for each in gpus.changes}
            before, self._missing = self._missing, gpus.missing
            _log_still_missing(_without(gpus.missing, before, changed))
            events += _without(before, gpus.missing, changed)
        _log_events([each for each in events if _log.isEnabledFor(_level(each))])


def _without(
    missing: Mapping[Key, MissingGpu], others: Collection[Key], changed: Collection[str]
) -> list[MissingGpu]:
    """Return the missing GPUs that are not among others, and that no change explains."""
    return [
        each for key, each in missing.items() if key not in others and each.gpu.slot not in changed
    ]


def _log_still_missing(gpus: Sequence[MissingGpu]) -> None:
    if gpus:
        named = "; ".join(map(_last_seen, gpus[:MAX_GPU_LINES]))
        more = len(gpus) - MAX_GPU_LINES
        rest = f"; and {more} more" if more > 0 else ""
        _log.warning("GPUs still missing since before this start: %s%s", named, rest)


def _log_events(events: list[_Event]) -> None:
    """Log the events, the most severe ones first, and how many there are beyond the maximum."""
    events.sort(key=_level, reverse=True)
    for each in events[:MAX_GPU_LINES]:
        if isinstance(each, GpuChange):
            kind, message = each.kind.value, each.message
        else:
            kind, message = "forgotten", f"forgotten: {_last_seen(each)}"
        _log.log(_level(each), "GPU %s", message, extra={"gpu": each.gpu.slot, "change": kind})
    if more := events[MAX_GPU_LINES:]:
        _log.log(_level(more[0]), "and %d more changes of GPUs", len(more))


def _level(event: _Event) -> int:
    return _LEVELS[event.kind] if isinstance(event, GpuChange) else logging.INFO


def _last_seen(each: MissingGpu) -> str:
    return f"{gpu_name(each.gpu)}, last seen {format_time(each.last_seen)} UTC"
