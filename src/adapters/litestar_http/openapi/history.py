"""What OpenAPI says of the past, the events and the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, Schema

from dstack_backend.adapters.litestar_http.openapi.examples import json_spec
from dstack_backend.adapters.litestar_http.schemas import (
    HistoryPage,
    ParameterFault,
    Problem,
    UptimeShares,
    WindowShare,
)
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.domain.history import GapCause, HistoryEntry
from dstack_backend.domain.status import Status

__all__ = ["EVENTS", "HISTORY", "UPTIME", "PageOperation"]

_NIGHT = datetime(2026, 1, 1, 3, 0, 0, tzinfo=UTC)
_PAGE = HistoryPage(
    [
        HistoryEntry(
            at=_NIGHT + timedelta(seconds=8),
            before=Status.UNAVAILABLE,
            after=Status.AVAILABLE,
            reason=None,
            message="8 GPUs, 5 free",
            number=43,
        ),
        HistoryEntry(
            at=_NIGHT,
            before=Status.AVAILABLE,
            after=Status.UNAVAILABLE,
            reason=Reason.CONNECTION_REFUSED,
            message=CheckFailure(Reason.CONNECTION_REFUSED).message,
            number=42,
        ),
        HistoryEntry(
            at=_NIGHT - timedelta(hours=5),
            before=Status.AVAILABLE,
            after=None,
            reason=None,
            gap=GapCause.STOPPED,
            message=GapCause.STOPPED.message,
            number=40,
        ),
    ],
    "/history?limit=3&before=40",
)
_SHARES = UptimeShares(
    [
        WindowShare("24h", 99.990741, 0.0),
        WindowShare("7d", 99.998677, 0.0),
        WindowShare("30d", 99.999691, 10.0),
        WindowShare("90d", None, 100.0),
    ]
)
_UNREADABLE = json_spec(
    Problem,
    "The history cannot be read now.",
    unreadable=Problem(503, "The history cannot be read now."),
)

HISTORY: Mapping[int, ResponseSpec] = {
    200: json_spec(HistoryPage, "Some changes, the last written first.", some=_PAGE),
    400: json_spec(
        Problem,
        "A parameter cannot be used.",
        limit=Problem(
            400,
            "Validation failed for GET /history?limit=0",
            [ParameterFault(message="Expected `int` >= 1", key="limit", source="query")],
        ),
        since=Problem(400, "since is not a time in ISO 8601, like 2026-11-24T02:53:25Z"),
    ),
    503: _UNREADABLE,
}
UPTIME: Mapping[int, ResponseSpec] = {
    200: json_spec(UptimeShares, "The shares of each window.", shares=_SHARES),
    503: _UNREADABLE,
}
EVENTS: Mapping[int, ResponseSpec] = {
    200: ResponseSpec(
        data_container=str,
        description=(
            "A stream of server-sent events that does not end by itself soon. The first comes at"
            " once, then one with each check and each change; `id` is its edition, `data` is JSON"
            " with `status` and `reason`. A comment comes every 15 s of silence. `Last-Event-ID`"
            " is not needed: the first event says how things are."
        ),
        media_type="text/event-stream",
        generate_examples=False,
        examples=[
            Example(
                summary="stream",
                value='retry: 2000\nid: 7\ndata: {"status":"available","reason":null}\n\n',
            )
        ],
    )
}


@dataclass
class PageOperation(Operation):
    """Adds the page to what `GET /` answers: Litestar describes one type of body for a status."""

    def __post_init__(self) -> None:
        """Add it."""
        answer = (self.responses or {}).get("200")
        contents = getattr(answer, "content", None)
        if contents is not None:
            contents["text/html"] = OpenAPIMediaType(
                schema=Schema(
                    type=OpenAPIType.STRING,
                    description="The node's page, for `Accept: text/html`, as browsers send it.",
                )
            )
