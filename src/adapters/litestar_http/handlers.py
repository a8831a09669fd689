"""What each path answers. Everything comes from memory; nothing waits."""

from collections.abc import Callable
from http import HTTPStatus

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http import openapi
from dstack_backend.adapters.litestar_http.answers import (
    LINKS,
    Liveness,
    Readiness,
    ServiceInfo,
)
from dstack_backend.domain.backend_info import BackendInfo
from dstack_backend.domain.ports import Health
from dstack_backend.domain.report import StatusReport

__all__ = ["Exposition", "handlers"]

Exposition = Callable[[StatusReport], bytes]
"""Renders the metrics for the moment of a report, in Prometheus's text format."""

PROMETHEUS_TEXT = "text/plain; version=0.0.4"  # Litestar adds the charset


def handlers(health: Health, exposition: Exposition) -> list[HTTPRouteHandler]:
    """Make the handlers of all paths."""

    @get("/", responses=openapi.SERVICE_INFO, tags=["service"])
    async def service_information() -> ServiceInfo:
        """What this service is, how the node is, and where the rest can be read."""
        report = health.report()
        return ServiceInfo(
            name="dstack-backend",
            version=__version__,
            status=report.status,
            reason=report.reason,
            links=LINKS,
        )

    @get("/health", responses=openapi.HEALTH, tags=["worker"])
    async def backend_info() -> Response[BackendInfo]:
        """BackendInfo for dephy-worker. Read from memory: it never waits for DStack."""
        answer = health.answer()
        return Response(
            answer.body,  # type: ignore[arg-type]  # the encoded form of a BackendInfo
            media_type=MediaType.JSON,
            status_code=_ok_if(answer.available),
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

    return [service_information, backend_info, liveness, readiness, status, metrics]


def _ok_if(condition: bool) -> int:  # noqa: FBT001 - a predicate is what it takes
    return HTTPStatus.OK if condition else HTTPStatus.SERVICE_UNAVAILABLE
