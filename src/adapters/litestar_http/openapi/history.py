"""Responses of `/history`, `/uptime` and `/events`."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.openapi.spec import Responses, json_spec, text_spec
from dstack_backend.adapters.litestar_http.schemas import (
    HistoryPage,
    ParameterFault,
    Problem,
    UptimeReport,
    UptimeWindow,
)
from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry, StoredHistory, restart_gap
from dstack_backend.domain.status import Status

__all__ = ["EVENTS", "HISTORY", "UPTIME"]

_OUTAGE = datetime(2026, 1, 1, 3, 0, 0, tzinfo=UTC)
_REFUSED = Reason.CONNECTION_REFUSED
_DOWN = HistoryEntry(
    at=_OUTAGE,
    before=Status.AVAILABLE,
    after=Status.UNAVAILABLE,
    reason=_REFUSED,
    message=_REFUSED.summary,
    number=42,
)
_STORED = StoredHistory((_DOWN,), _OUTAGE + timedelta(hours=5))
_STOPPED = replace(restart_gap(_STORED) or _DOWN, number=43)
_PAGE = HistoryPage([_STOPPED, _DOWN], "history?limit=2&before=42")
_UPTIME = UptimeReport([UptimeWindow("24h", 99.990741, 0.0), UptimeWindow("90d", None, 100.0)])

HISTORY: Responses = {
    200: json_spec(HistoryPage, "Entries, the last written first.", entries=_PAGE),
    400: json_spec(
        Problem,
        "A parameter is invalid.",
        limit=Problem(
            400,
            "Validation failed for GET /history?limit=0",
            [ParameterFault(message="Expected `int` >= 1", key="limit", source="query")],
        ),
        since=Problem(400, "since is not a time in ISO 8601, such as 2026-11-24T02:53:25Z"),
    ),
}
UPTIME: Responses = {200: json_spec(UptimeReport, "The uptime of each window.", windows=_UPTIME)}
EVENTS: Responses = {
    200: text_spec(
        "text/event-stream",
        "A stream of server-sent events. The first is sent at once with the present status, then"
        " one for each check and each change. `id` counts the updates; `data` is JSON with"
        " `status` and `reason`. A comment is sent after 15 s without an event. `Last-Event-ID`"
        " is not needed. The stream ends after 15 minutes.",
        'retry: 2000\nid: 7\ndata: {"status":"available","reason":null}\n\n',
    )
}
