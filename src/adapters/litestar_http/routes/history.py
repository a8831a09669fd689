"""What the paths of the past answer: `/history` and `/uptime`."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from litestar import get
from litestar.exceptions import ClientException, ServiceUnavailableException
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.openapi import history as openapi
from dstack_backend.adapters.litestar_http.schemas import HistoryPage, UptimeShares, WindowShare
from dstack_backend.adapters.litestar_http.shares import WINDOWS, last_days, share
from dstack_backend.domain.history import HistoryError, Uptime
from dstack_backend.domain.ports import HistoryReader

__all__ = ["UNREADABLE", "past_handlers"]

UNREADABLE = "The history cannot be read now."
MOST_ENTRIES = 1000
UPTIME_HOLDS = 10.0
"""Seconds: 90 days of a DStack that flaps take one to read, however many ask."""

HIGHEST_NUMBER = 2**63 - 1

_TIME = {"format": "date-time", "type": "string", "oneOf": None}
_FORM = "ISO 8601; without a zone it is UTC"
Since = Annotated[
    str | None, QueryParameter(description=f"the first moment, {_FORM}", schema_extra=_TIME)
]
Until = Annotated[
    str | None, QueryParameter(description=f"the first moment after, {_FORM}", schema_extra=_TIME)
]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_ENTRIES, description="so many entries at most")]
Before = Annotated[
    int | None,
    QueryParameter(ge=1, le=HIGHEST_NUMBER, description="only entries with a lower `number`"),
]


def past_handlers(reader: HistoryReader) -> list[HTTPRouteHandler]:
    """Make the handlers."""
    shared: SingleFlightCache[list[Uptime]] = SingleFlightCache(UPTIME_HOLDS)

    @get("/history", responses=openapi.HISTORY, tags=["past"])
    async def history(
        since: Since = None, until: Until = None, limit: Limit = 100, before: Before = None
    ) -> HistoryPage:
        """The changes of status, the last one first. `next` leads to the older ones."""
        window = {"since": _moment("since", since), "until": _moment("until", until)}
        try:
            found = await reader.latest(limit + 1, **window, before=before)
        except HistoryError as exc:
            raise ServiceUnavailableException(UNREADABLE) from exc
        return (
            HistoryPage(found[:limit], _next(window, limit, found[limit - 1].number))
            if len(found) > limit
            else HistoryPage(found, None)
        )

    @get("/uptime", responses=openapi.UPTIME, tags=["past"])
    async def uptime() -> UptimeShares:
        """How much of the last 24 hours, 7, 30 and 90 days the node was available.

        Time in which nobody looked counts neither as up nor as down.
        """
        try:
            days = await shared.get(None, lambda: last_days(reader))
        except HistoryError as exc:
            raise ServiceUnavailableException(UNREADABLE) from exc
        shares = {window: share(days, window) for window in WINDOWS}
        return UptimeShares(
            [
                WindowShare(window, _rounded(each.up_percent), round(each.unknown_percent, 6))
                for window, each in shares.items()
            ]
        )

    return [history, uptime]


def _rounded(percent: float | None) -> float | None:
    return None if percent is None else round(percent, 6)


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus sign that was not encoded arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ClientException(
            f"{name} is not a time in ISO 8601, like 2026-11-24T02:53:25Z"
        ) from None


def _next(window: dict[str, datetime | None], limit: int, before: int) -> str:
    # isoformat, as %Y leaves out the zeros of a year before 1000.
    given = {
        name: f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        for name, moment in window.items()
        if moment
    }
    return "/history?" + urlencode({**given, "limit": limit, "before": before}, safe=":")
