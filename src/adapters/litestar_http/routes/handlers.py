"""What each path answers. Nothing waits for DStack; only the past waits, for the disk."""

from collections.abc import Callable
from http import HTTPStatus

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend.adapters.litestar_http.null import NullHistory, NullNotifier
from dstack_backend.adapters.litestar_http.openapi import status as openapi
from dstack_backend.adapters.litestar_http.page import asset_handler
from dstack_backend.adapters.litestar_http.routes.events import events_handler
from dstack_backend.adapters.litestar_http.routes.history import past_handlers
from dstack_backend.adapters.litestar_http.routes.index import root_handler
from dstack_backend.adapters.litestar_http.schemas import Liveness, Readiness
from dstack_backend.domain.backend_info import BackendInfo, NodeIdentity
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier
from dstack_backend.domain.report import StatusReport

__all__ = ["Exposition", "handlers"]

Exposition = Callable[[StatusReport], bytes]
"""Renders the metrics for the moment of a report, in Prometheus's text format."""

PROMETHEUS_TEXT = "text/plain; version=0.0.4"  # Litestar adds the charset


def handlers(
    health: Health,
    exposition: Exposition,
    history: HistoryReader | None = None,
    notifier: UpdateNotifier | None = None,
    identity: NodeIdentity | None = None,
) -> list[HTTPRouteHandler]:
    """Make the handlers of all paths.

    Args:
        health: What is known of the node.
        exposition: Renders the metrics.
        history: The history; by default there is none.
        notifier: Counts the updates; by default a client has to come back for them.
        identity: How the node presents itself.
    """
    identity = identity or NodeIdentity()
    history = history or NullHistory()
    notifier = notifier or NullNotifier()
    return [
        root_handler(health, history, notifier, identity),
        *_present(health, exposition),
        *past_handlers(history),
        events_handler(health, notifier),
        asset_handler(),
    ]


def _present(health: Health, exposition: Exposition) -> list[HTTPRouteHandler]:
    """Make the handlers of what comes from memory."""

    @get("/health", responses=openapi.HEALTH, tags=["worker"])
    async def backend_info() -> Response[BackendInfo]:
        """BackendInfo for dephy-worker. Read from memory: it never waits for DStack."""
        answer = health.response()
        return Response(
            answer.body,  # type: ignore[arg-type]  # the encoded form of a BackendInfo
            media_type=MediaType.JSON,
            status_code=_ok_if(answer.is_available),
        )

    @get("/livez", responses=openapi.LIVENESS, tags=["probes"])
    async def liveness() -> Liveness:
        """This process works. An outage of DStack does not show here."""
        return Liveness(alive=True)

    @get("/readyz", responses=openapi.READINESS, tags=["probes"])
    async def readiness() -> Response[Readiness]:
        """A first check has finished, whatever it brought."""
        ready = health.is_ready()
        return Response(Readiness(ready), status_code=_ok_if(ready))

    @get("/status", responses=openapi.STATUS, tags=["service"])
    async def status() -> StatusReport:
        """Everything that is known, for people and tools. Always 200."""
        return health.report()

    @get("/metrics", responses=openapi.METRICS, tags=["service"], media_type=PROMETHEUS_TEXT)
    async def metrics() -> Response[str]:
        """Prometheus's text format."""
        return Response(
            exposition(health.report()),  # type: ignore[arg-type]  # the text, encoded
            media_type=PROMETHEUS_TEXT,
        )

    return [backend_info, liveness, readiness, status, metrics]


def _ok_if(condition: bool) -> int:  # noqa: FBT001 - a predicate is what it takes
    return HTTPStatus.OK if condition else HTTPStatus.SERVICE_UNAVAILABLE
