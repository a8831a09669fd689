"""`GET /history` and `GET /uptime`."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from litestar import get
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import QueryParameter
from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.examples import LOST_GPU
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
from dstack_backend.domain.history import (
    DEFAULT_KINDS,
    EntryKind,
    GapCause,
    HistoryEntry,
    Uptime,
    entry_for_gpu,
    recorded_windows,
)
from dstack_backend.domain.ports import HistoryReader
from dstack_backend.domain.status import Status

__all__ = ["Before", "history_handler", "uptime_handler"]

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

Kinds = Annotated[
    list[str] | None,
    QueryParameter(
        name="kind",
        description="entries of these kinds; by default all but `gpu_allocated`, `gpu_released`",
        schema_extra={
            "type": "array",
            "items": Schema(type=OpenAPIType.STRING, enum=list(EntryKind)),
            "oneOf": None,
        },
    ),
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
    kind=EntryKind.GAP,
    at=datetime(2026, 1, 1, 8, tzinfo=UTC),
    before=Status.UNAVAILABLE,
    gap=GapCause.STOPPED,
    message=GapCause.STOPPED.message,
    number=43,
)
_LOST = replace(entry_for_gpu(LOST_GPU), number=44)
_PAGE = HistoryPage([_LOST, _GAP, _OUTAGE], "history?limit=3&before=42")
_FAULT = ParameterFault(message="Expected `int` >= 1", key="limit", source="query")
_LIMIT = Problem(400, "Validation failed for GET /history?limit=0", [_FAULT])
_SINCE = Problem(400, "since is not a time in ISO 8601, such as 2026-11-24T02:53:25Z")
_KIND = Problem(400, f"kind is not one of {', '.join(EntryKind)}")
_UPTIME = UptimeReport([UptimeWindow("24h", 99.990741, 0.0, recorded=True)])


def history_handler(reader: HistoryReader) -> HTTPRouteHandler:
    """Return the handler of `/history`."""

    @get(
        "/history",
        responses={
            200: json_spec(HistoryPage, "Entries, the last written first.", entries=_PAGE),
            400: json_spec(
                Problem, "A parameter is invalid.", limit=_LIMIT, since=_SINCE, kind=_KIND
            ),
        },
        tags=["history"],
    )
    async def history(
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        before: Before = None,
        kinds: Kinds = None,
    ) -> HistoryPage:
        """The changes of the status and of the GPUs, and the gaps, the last written first.

        `next` links to the older ones.
        """
        window = {"since": _parse("since", since), "until": _parse("until", until)}
        codes = _parse_kinds(kinds)
        found = await reader.latest(
            limit + 1,
            since=window["since"],
            until=window["until"],
            before=before,
            kinds=codes or DEFAULT_KINDS,
        )
        entries = found[:limit]
        has_more = len(found) > limit
        next_page = _next(window, codes, limit, entries[-1].number) if has_more else None
        return HistoryPage(entries, next_page)

    return history


def uptime_handler(reader: HistoryReader) -> HTTPRouteHandler:
    """Return the handler of `/uptime`."""
    cache: SingleFlightCache[UptimeReport] = SingleFlightCache(UPTIME_TTL)

    async def compute() -> UptimeReport:
        windows, recorded = await reader.uptime(), await reader.start()
        names = recorded_windows(recorded, datetime.now(UTC))
        return UptimeReport([_window(*each, names) for each in windows.items()])

    @get(
        "/uptime",
        responses={200: json_spec(UptimeReport, "The uptime of each window.", windows=_UPTIME)},
        tags=["history"],
    )
    async def uptime() -> UptimeReport:
        """How much of the last 24 hours, 7, 30 and 90 days the node was available.

        Unknown time counts neither as up nor as down.
        """
        return await cache.get(None, compute)

    return uptime


def _window(name: str, uptime: Uptime, recorded: Collection[str]) -> UptimeWindow:
    up = None if uptime.up_percent is None else round(uptime.up_percent, 6)
    return UptimeWindow(name, up, round(uptime.unknown_percent, 6), recorded=name in recorded)


def _parse(name: str, text: str | None) -> datetime | None:
    try:
        # A plus sign that was not encoded arrives as a space.
        return None if text is None else parse_time(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ClientException(
            f"{name} is not a time in ISO 8601, such as 2026-11-24T02:53:25Z"
        ) from None


def _parse_kinds(texts: list[str] | None) -> list[EntryKind]:
    try:
        codes = [EntryKind(code) for text in texts or () for code in text.split(",")]
    except ValueError:
        raise ClientException(_KIND.detail) from None
    return sorted(set(codes))


def _next(
    window: dict[str, datetime | None], kinds: list[EntryKind], limit: int, before: int
) -> str:
    # isoformat, as %Y omits the zeros of a year before 1000.
    times = {
        name: f"{time.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        for name, time in window.items()
        if time
    }
    query = {**times, "kind": kinds, "limit": limit, "before": before}
    return "history?" + urlencode(query, doseq=True, safe=":")
