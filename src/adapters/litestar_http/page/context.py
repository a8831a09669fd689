"""The template's variables. Pure: the time is an argument."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.page.durations import duration_chart
from dstack_backend.adapters.litestar_http.page.gpus import gpu_context
from dstack_backend.adapters.litestar_http.page.i18n import Translation
from dstack_backend.adapters.litestar_http.page.incidents import (
    MAX_INCIDENTS,
    incidents_context,
)
from dstack_backend.adapters.litestar_http.page.timelines import timelines_context
from dstack_backend.domain.backend_info import DSTACK, NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.durations import DurationPeriod
from dstack_backend.domain.gpu import GpuState, GpuUse, degraded_since
from dstack_backend.domain.history import Incident, Uptime
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.requests import HealthRequestReport
from dstack_backend.domain.status import Status

__all__ = ["PageHistory", "common_context", "page_context"]


class PageHistory(Struct, frozen=True):
    """The history that a page shows.

    Attributes:
        uptime: By window.
        timelines: The slots of each timeline, by its window.
        use: How long the GPUs were in use.
        start: From when on the status is recorded; `None` before the first entry.
        computed_at: The end of the windows; `None` where nothing was computed.
        incidents: The latest incidents; one more than is shown, where there are more.
        durations: How long the checks of the last 24 hours took, by half hour.
        requests: The requests of `/health`.
    """

    uptime: Mapping[str, Uptime] = {}
    timelines: Mapping[str, Sequence[Uptime]] = {}
    use: GpuUse = GpuUse()
    start: datetime | None = None
    computed_at: datetime | None = None
    incidents: Sequence[Incident] = ()
    durations: Mapping[int, DurationPeriod] = {}
    requests: HealthRequestReport = HealthRequestReport(count=0, last_age_seconds=None, clients=0)


def common_context(translation: Translation, identity: NodeIdentity) -> dict[str, Any]:
    """Return the variables of every template."""
    return {
        "identity": identity,
        "translation": translation,
        "language": translation.language,
        "strings": translation.strings,
        "units": translation.units,
    }


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
        **common_context(translation, identity),
        "version": __version__,
        "now": now,
        "report": report,
        "status": _status(report, gpus, translation, identity),
        "gpus": gpus and gpu_context(gpus, history.use, now, translation, is_listed=is_listed),
        "has_gpus": gpus is not None or identity.source == DSTACK,
        "history": history,
        "durations": duration_chart(history.durations, now),
        "requests": history.requests,
        "incidents": incidents_context(history.incidents, MAX_INCIDENTS, gpus, now),
        "timelines": timelines_context(
            history.uptime,
            history.timelines,
            history.start,
            history.computed_at or now,
            translation,
        ),
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
    lost = gpus.missing.values() if gpus and is_degraded else ()
    cause = explanation.name if explanation and not failing else missing if is_degraded else ""
    return {
        "look": look if is_known else "unknown",
        "title": title,
        "since": degraded_since(report.last_change, (each.last_seen for each in lost)),
        "missing": missing,
        "announcement": translation.strings["colon"].format(title, cause) if cause else title,
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
