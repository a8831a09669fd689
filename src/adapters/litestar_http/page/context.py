"""The template's variables. Pure: the time is an argument."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.page.durations import duration_chart
from dstack_backend.adapters.litestar_http.page.gpus import gpu_context
from dstack_backend.adapters.litestar_http.page.i18n import Translation
from dstack_backend.domain.backend_info import DSTACK, NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.durations import DurationPeriod
from dstack_backend.domain.formatting import format_percent
from dstack_backend.domain.gpu import GpuState, GpuUse
from dstack_backend.domain.history import WINDOWS, EntryGroup, HistoryEntry, Uptime
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.requests import HealthRequestReport
from dstack_backend.domain.status import Status

__all__ = ["BARS", "MAX_CHANGES", "PageHistory", "page_context"]

MAX_CHANGES = 12
BARS = {"24h": 48, "7d": 84, "90d": 90}
"""Number of bars of each timeline, by its window."""

PARTS = 20
"""Each bar is divided into so many parts."""

MIN_PARTS = {"up": 1, "down": 3, "unknown": 1}
"""Parts of a state that occurs at all: an outage of seconds is visible in a bar of a day."""


class PageHistory(Struct, frozen=True):
    """The history that a page shows.

    Attributes:
        uptime: By window.
        timelines: The slots of each timeline, by its window.
        use: How long the GPUs were in use.
        entries: The latest entries, the last written first.
        durations: How long the checks of the last 24 hours took, by half hour.
        requests: The requests of `/health`.
    """

    uptime: Mapping[str, Uptime] = {}
    timelines: Mapping[str, Sequence[Uptime]] = {}
    use: GpuUse = GpuUse()
    entries: Sequence[HistoryEntry] = ()
    durations: Mapping[int, DurationPeriod] = {}
    requests: HealthRequestReport = HealthRequestReport(count=0, last_age_seconds=None, clients=0)


def page_context(
    report: StatusReport,
    gpus: GpuState | None,
    history: PageHistory,
    now: datetime,
    translation: Translation,
    identity: NodeIdentity,
) -> dict[str, Any]:
    """Return the variables of the template. Advice is shown for DStack only."""
    is_listed = report.reason in (None, Reason.TOO_FEW_GPUS)
    return {
        "version": __version__,
        "identity": identity,
        "translation": translation,
        "strings": translation.strings,
        "units": translation.units,
        "now": now,
        "report": report,
        "status": _status(report, gpus, translation, identity),
        "gpus": gpus and gpu_context(gpus, history.use, now, translation, is_listed=is_listed),
        "has_gpus": gpus is not None or identity.source == DSTACK,
        "history": history,
        "durations": duration_chart(history.durations, now),
        "requests": history.requests,
        "changes": _changes(history.entries, now),
        "timelines": {
            window: {
                "seconds": WINDOWS[window].total_seconds(),
                "step": WINDOWS[window].total_seconds() / len(slots),
                "bars": [_bar(slot, translation.strings) for slot in slots],
            }
            for window, slots in history.timelines.items()
        },
    }


def _status(
    report: StatusReport,
    gpus: GpuState | None,
    translation: Translation,
    identity: NodeIdentity,
) -> dict[str, Any]:
    is_available, last = report.status is Status.AVAILABLE, report.last_check
    # Checks may fail, too few in a row to change the status.
    failing = last if is_available and last and last.reason else None
    reason = failing.reason if failing else report.reason
    is_degraded = is_available and report.degraded is True
    explanation = translation.reasons[reason] if reason else None
    if is_degraded and not reason and gpus and not gpus.present:
        explanation = translation.no_gpus
    look = "degraded" if is_degraded else report.status.value
    title = translation.strings[look]
    is_known = report.reason is None or report.reason.is_conclusive
    missing = _missing_text(gpus, translation)
    cause = explanation.name if explanation and not failing else missing if is_degraded else ""
    return {
        "look": look if is_known else "unknown",
        "title": title,
        "missing": missing,
        "announcement": f"{title}: {cause}" if cause else title,
        "is_failing": failing is not None,
        "reason": reason,
        "message": failing.message if failing else report.message,
        "explanation": explanation,
        "has_advice": identity.source == DSTACK,
    }


def _missing_text(gpus: GpuState | None, translation: Translation) -> str:
    count = len(gpus.missing) if gpus else 0
    text = translation.missing_gpus.name if count > 1 else translation.strings["gpu_missing"]
    return text.format(count) if count else ""


def _changes(entries: Sequence[HistoryEntry], now: datetime) -> list[dict[str, Any]]:
    """Return the entries with how long they held. Changes of GPUs have no duration."""
    changes: list[dict[str, Any]] = []
    end: datetime | None = None
    for entry in entries:
        change: dict[str, Any] = {"entry": entry}
        if entry.kind.group is EntryGroup.STATUS:
            change["seconds"] = ((end or now) - entry.at).total_seconds()
            change["is_last"] = end is None
            end = entry.at
        changes.append(change)
    return changes


def _bar(slot: Uptime, strings: Mapping[str, str]) -> dict[str, int | str]:
    """Return the number of parts of each state, and their shares as text."""
    seconds = {"up": slot.up_seconds, "down": slot.down_seconds, "unknown": slot.unknown_seconds}
    shares = {state: each / sum(seconds.values()) for state, each in seconds.items() if each}
    parts = {state: max(MIN_PARTS[state], round(PARTS * each)) for state, each in shares.items()}
    parts[max(shares, key=shares.__getitem__)] += PARTS - sum(parts.values())
    texts = (f"{strings[state]} {format_percent(100 * each)}" for state, each in shares.items())
    return {**dict.fromkeys(seconds, 0), **parts, "text": ", ".join(texts)}
