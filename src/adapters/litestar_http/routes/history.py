"""`GET /history` and `GET /uptime`."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from litestar import get
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.openapi import json_spec
from dstack_backend.adapters.litestar_http.schemas import (
    HistoryPage,
    ParameterFault,
    Problem,
    UptimeReport,
    UptimeWindow,
)
from dstack_backend.domain.check import Reason
from dstack_backend.domain.formatting import parse_time
from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime
from dstack_backend.domain.ports import HistoryReader
from dstack_backend.domain.status import Status

__all__ = ["history_handlers"]

MAX_ENTRIES = 1000
MAX_NUMBER = 2**63 - 1
UPTIME_TTL = 10.0
"""Seconds: the uptime of 50,000 entries takes a thread a fraction of a second to compute."""


def _time(description: str) -> QueryParameter:
    text = f"{description}, ISO 8601; without a zone it is UTC"
    schema = {"format": "date-time", "type": "string", "oneOf": None}
    return QueryParameter(description=text, schema_extra=schema)


Since = Annotated[str | None, _time("entries from this time on")]
Until = Annotated[str | None, _time("entries before this time")]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_ENTRIES, description="maximum entry count")]
Before = Annotated[
    int | None, QueryParameter(ge=1, le=MAX_NUMBER, description="entries with a lower `number`")
]

_OUTAGE = HistoryEntry(
    at=datetime(2026, 1, 1, 3, tzinfo=UTC),
    before=Status.AVAILABLE,
    after=Status.UNAVAILABLE,
    reason=Reason.CONNECTION_REFUSED,
    message=Reason.CONNECTION_REFUSED.summary,
    number=42,
)
_GAP = HistoryEntry(
    at=datetime(2026, 1, 1, 8, tzinfo=UTC),
    before=Status.UNAVAILABLE,
    after=None,
    reason=None,
    gap=GapCause.STOPPED,
    message=GapCause.STOPPED.message,
    number=43,
)
_PAGE = HistoryPage([_GAP, _OUTAGE], "history?limit=2&before=42")
_FAULT = ParameterFault(message="Expected `int` >= 1", key="limit", source="query")
_LIMIT = Problem(400, "Validation failed for GET /history?limit=0", [_FAULT])
_SINCE = Problem(400, "since is not a time in ISO 8601, such as 2026-11-24T02:53:25Z")
_UPTIME = UptimeReport([UptimeWindow("24h", 99.990741, 0.0), UptimeWindow("90d", None, 100.0)])


def history_handlers(reader: HistoryReader) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    cache: SingleFlightCache[dict[str, Uptime]] = SingleFlightCache(UPTIME_TTL)

    @get(
        "/history",
        responses={
            200: json_spec(HistoryPage, "Entries, the last written first.", entries=_PAGE),
            400: json_spec(Problem, "A parameter is invalid.", limit=_LIMIT, since=_SINCE),
        },
        tags=["history"],
    )
    async def history(
        since: Since = None, until: Until = None, limit: Limit = 100, before: Before = None
    ) -> HistoryPage:
        """The changes of status and the gaps, the last written first.

        `next` links to the older ones.
        """
        window = {"since": _parse("since", since), "until": _parse("until", until)}
        found = await reader.latest(
            limit + 1, since=window["since"], until=window["until"], before=before
        )
        entries = found[:limit]
        next_page = _next(window, limit, entries[-1].number) if len(found) > limit else None
        return HistoryPage(entries, next_page)

    @get(
        "/uptime",
        responses={200: json_spec(UptimeReport, "The uptime of each window.", windows=_UPTIME)},
        tags=["history"],
    )
    async def uptime() -> UptimeReport:
        """How much of the last 24 hours, 7, 30 and 90 days the node was available.

        Unknown time counts neither as up nor as down.
        """
        windows = await cache.get(None, reader.uptime)
        return UptimeReport([_window(name, each) for name, each in windows.items()])

    return [history, uptime]


def _window(name: str, uptime: Uptime) -> UptimeWindow:
    up = None if uptime.up_percent is None else round(uptime.up_percent, 6)
    return UptimeWindow(name, up, round(uptime.unknown_percent, 6))


def _parse(name: str, text: str | None) -> datetime | None:
    try:
        # A plus sign that was not encoded arrives as a space.
        return None if text is None else parse_time(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ClientException(
            f"{name} is not a time in ISO 8601, such as 2026-11-24T02:53:25Z"
        ) from None


def _next(window: dict[str, datetime | None], limit: int, before: int) -> str:
    # isoformat, as %Y omits the zeros of a year before 1000.
    times = {
        name: f"{time.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        for name, time in window.items()
        if time
    }
    return "history?" + urlencode({**times, "limit": limit, "before": before}, safe=":")
