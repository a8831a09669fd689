"""What the page shows, as plain values for the template. Pure: the moment is an argument."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.page.bars import bars
from dstack_backend.adapters.litestar_http.page.formatting import duration, percent
from dstack_backend.adapters.litestar_http.page.i18n import Advice, Translation
from dstack_backend.adapters.litestar_http.shares import DAY, WINDOWS, share
from dstack_backend.domain.backend_info import DSTACK
from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import GpuInventoryMetadata, GpuMetadata
from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.status import Status

__all__ = ["MOST_CHANGES", "TIMELINES", "PageHistory", "view"]

MOST_GPUS = 64
MOST_CHANGES = 12
LONGEST_TEXT = 120
TIMELINES = {"24h": (DAY, 48), "7d": (7 * DAY, 84), "90d": (90 * DAY, 90)}
"""Seconds and bars of each timeline."""

_UNKNOWN = (Reason.STARTING, Reason.STALE)


class PageHistory(Struct, frozen=True):
    """The past as it was read.

    Attributes:
        timelines: The slots of each timeline, by its name.
        entries: The latest changes, the last one first.
    """

    timelines: Mapping[str, Sequence[Uptime]]
    entries: Sequence[HistoryEntry]


def view(
    report: StatusReport,
    history: PageHistory | None,
    now: datetime,
    texts: Translation,
    source: str = DSTACK,
) -> dict[str, Any]:
    """Give all that the template needs.

    Args:
        report: What is known of the node.
        history: What is known of its past; `None` where it cannot be read.
        now: The wall clock's time.
        texts: What the page says.
        source: What people call the source of GPUs. What to do is known of DStack only.
    """
    words = texts.words
    return {
        "texts": texts,
        "words": words,
        "source": source,
        "now": now,
        "service_version": __version__,
        "status": _status(report, now, texts, source),
        "check": _check(report, words),
        "gpus": _gpus(report.inventory),
        "history": history and _history(history, words),
        "changes": history and _changes(history.entries, now, texts),
    }


def _status(report: StatusReport, now: datetime, texts: Translation, source: str) -> dict[str, Any]:
    reason, message = _trouble(report)
    advice = _advice(report, reason, texts)
    if advice and source != DSTACK:
        advice = Advice(advice.name, "", ())
    word = texts.words[report.status.value]
    headline = f"{word}: {advice.name}" if advice and not _is_failing(report) else word
    seconds = int((now - report.last_change).total_seconds())
    return {
        "look": "unknown" if report.reason in _UNKNOWN else report.status.value,
        "word": word,
        "spoken": headline,
        "reason": reason,
        "message": message,
        "advice": advice,
        "since": report.last_change,
        "seconds": seconds,
        "lasting": duration(seconds, texts.words),
    }


def _is_failing(report: StatusReport) -> bool:
    """Say whether checks fail, too few in a row to turn the status."""
    last = report.last_check
    return report.status is Status.AVAILABLE and last is not None and last.reason is not None


def _trouble(report: StatusReport) -> tuple[Reason | None, str]:
    if report.last_check and _is_failing(report):
        return report.last_check.reason, report.last_check.message or ""
    return report.reason, report.message


def _advice(report: StatusReport, reason: Reason | None, texts: Translation) -> Advice | None:
    if reason:
        return texts.advice[reason]
    no_gpus = isinstance(report.inventory, GpuInventoryMetadata) and not report.inventory.gpus
    return texts.no_gpus if no_gpus else None


def _check(report: StatusReport, words: Mapping[str, str]) -> dict[str, Any]:
    last = report.last_check
    return {
        "age": last and last.age_seconds,
        "age_text": last and words["ago"].format(duration(int(last.age_seconds), words)),
        "took": last and duration(last.duration_seconds, words),
        "failing": _is_failing(report),
        "failures": report.consecutive_failures,
        "last_success": report.last_success,
        "source_version": _short(report.source_version or ""),
    }


def _gpus(inventory: Struct | None) -> dict[str, Any] | None:
    if not isinstance(inventory, GpuInventoryMetadata):
        return None
    free = inventory.free_gpu_count
    return {
        "counts": (inventory.gpu_count, free, inventory.gpu_count - free),
        "shown": [_gpu(gpu) for gpu in inventory.gpus[:MOST_GPUS]],
        "more": max(0, inventory.gpu_count - MOST_GPUS),
    }


def _gpu(gpu: GpuMetadata) -> dict[str, Any]:
    return {
        "slot": _short(gpu.slot),
        "model": _short(gpu.model or ""),
        "product_id": _short(gpu.product_id),
        "description": _short(gpu.description),
        "is_free": gpu.is_free,
    }


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _history(history: PageHistory, words: Mapping[str, str]) -> dict[str, Any]:
    days = history.timelines["90d"]
    return {
        "windows": {window: _shares(share(days, window)) for window in WINDOWS},
        "timelines": {
            name: {
                "bars": bars(slots, words),
                "step": TIMELINES[name][0] / TIMELINES[name][1],
                "seconds": TIMELINES[name][0],
            }
            for name, slots in history.timelines.items()
        },
    }


def _shares(total: Uptime) -> dict[str, str | bool | None]:
    return {
        "mostly_unknown": total.unknown_percent > 50,  # noqa: PLR2004 - per cent: the half
        "up": percent(total.up_percent),
        "unknown": percent(total.unknown_percent) if total.unknown_seconds else None,
    }


def _word(entry: HistoryEntry) -> str:
    if entry.after:
        return entry.after.value
    return "not_running" if entry.gap is GapCause.STOPPED else "not_recorded"


def _changes(
    entries: Sequence[HistoryEntry], now: datetime, texts: Translation
) -> list[dict[str, Any]]:
    ends = [now, *(entry.at for entry in entries)]
    return [
        {
            "at": entry.at,
            "known": entry.state.value,
            "word": texts.words[_word(entry)],
            "name": texts.advice[entry.reason].name if entry.reason else "",
            "message": "" if entry.gap is GapCause.STOPPED else entry.message,
            "lasted": duration((end - entry.at).total_seconds(), texts.words),
            "so_far": position == 0,
        }
        for position, (entry, end) in enumerate(zip(entries, ends, strict=False))
    ]
