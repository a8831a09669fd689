"""`GET /status` and `GET /metrics`."""

from collections.abc import Callable

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend.adapters.litestar_http.openapi import status as openapi
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import Health
from dstack_backend.domain.report import StatusReport

__all__ = ["Exposition", "status_handlers"]

Exposition = Callable[[StatusReport], bytes]
"""Renders the metrics at the time of a report, in Prometheus's text format."""

PROMETHEUS_TEXT = "text/plain; version=0.0.4"  # Litestar adds the charset


def status_handlers(
    health: Health, exposition: Exposition, identity: NodeIdentity
) -> list[HTTPRouteHandler]:
    """Return the handlers."""

    @get("/status", responses=openapi.status_responses(identity), tags=["service"])
    async def status() -> StatusReport:
        """Everything that is known, for people and tools. Always 200."""
        return health.report()

    @get("/metrics", responses=openapi.METRICS, tags=["service"], media_type=PROMETHEUS_TEXT)
    async def metrics() -> Response[str]:
        """Metrics in Prometheus's text format."""
        return Response(
            exposition(health.report()),  # type: ignore[arg-type]  # the encoded text
            media_type=PROMETHEUS_TEXT,
        )

    return [status, metrics]
