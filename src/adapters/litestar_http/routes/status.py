"""The present state of the node: `/health`, the probes, `/status` and `/metrics`."""

from typing import Any, Protocol

from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec.structs import asdict

from dstack_backend.adapters.litestar_http.examples import FAILURE, INVENTORY, STATUS_REPORTS
from dstack_backend.adapters.litestar_http.fast_path import count_request, inspect_headers
from dstack_backend.adapters.litestar_http.negotiation import prefers_openmetrics
from dstack_backend.adapters.litestar_http.openapi import json_spec, negotiated_text, text_spec
from dstack_backend.adapters.litestar_http.schemas import Liveness, NodeReport, Readiness
from dstack_backend.domain.backend_info import DSTACK, BackendInfo, NodeIdentity, describe
from dstack_backend.domain.gpu import GpuInventoryMetadata
from dstack_backend.domain.ports import Health
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.requests import HealthRequestReport, HealthRequests
from dstack_backend.domain.status import assess

__all__ = ["Exposition", "health_handler", "probe_handlers", "status_handlers"]

PROMETHEUS_TEXT = "text/plain; version=0.0.4"  # Litestar adds the charset
OPENMETRICS_TEXT = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposition(Protocol):
    """Renders the metrics at the time of a report."""

    def __call__(self, report: StatusReport, /, *, openmetrics: bool) -> bytes:
        """Return OpenMetrics or Prometheus's text format."""
        ...


class GpuStatusReport(NodeReport, frozen=True, kw_only=True):
    """Everything that is known of a node with GPUs."""

    inventory: GpuInventoryMetadata | None


def health_handler(
    health: Health, identity: NodeIdentity, requests: HealthRequests
) -> HTTPRouteHandler:
    """Return the handler of `/health`."""
    online = f"{identity.source} is online."
    offline = f"{identity.source} is not online, or nothing recent is known."
    available, unavailable = (describe(assess(each), identity) for each in (INVENTORY, FAILURE))

    @get(
        "/health",
        responses={
            200: json_spec(BackendInfo, online, available=available),
            503: json_spec(BackendInfo, offline, unavailable=unavailable),
        },
        tags=["worker"],
    )
    async def backend_info(request: Request[Any, Any, Any]) -> Response[BackendInfo]:
        """BackendInfo for dephy-worker, from memory: never waits for a check."""
        _, is_browser = inspect_headers(request.scope)
        count_request(request.scope, requests, is_browser=is_browser)
        response = health.response()
        return Response(
            response.body,  # type: ignore[arg-type]  # the encoded form of a BackendInfo
            media_type=MediaType.JSON,
            status_code=200 if response.is_available else 503,
        )

    return backend_info


def probe_handlers(health: Health) -> list[HTTPRouteHandler]:
    """Return the handlers of `/livez` and `/readyz`."""

    @get(
        "/livez",
        responses={200: json_spec(Liveness, "This process works.", alive=Liveness(alive=True))},
        tags=["probes"],
    )
    async def liveness() -> Liveness:
        """This process works. An outage of the source has no effect."""
        return Liveness(alive=True)

    @get(
        "/readyz",
        responses={
            200: json_spec(Readiness, "A first check has finished.", ready=Readiness(ready=True)),
            503: json_spec(
                Readiness, "No check has finished yet.", starting=Readiness(ready=False)
            ),
        },
        tags=["probes"],
    )
    async def readiness() -> Response[Readiness]:
        """A first check has finished, whatever its result."""
        is_ready = health.is_ready()
        return Response(Readiness(is_ready), status_code=200 if is_ready else 503)

    return [liveness, readiness]


def status_handlers(
    health: Health, exposition: Exposition, identity: NodeIdentity, requests: HealthRequests
) -> list[HTTPRouteHandler]:
    """Return the handlers of `/status` and `/metrics`."""
    # The inventory of another source may be any object.
    body = GpuStatusReport if identity.source == DSTACK else NodeReport
    asked = HealthRequestReport(count=1204, last_age_seconds=4.2, clients=1)
    examples = {name: _node_report(each, identity, asked) for name, each in STATUS_REPORTS.items()}

    @get(
        "/status",
        responses={200: json_spec(body, "Everything that is known.", **examples)},
        tags=["service"],
    )
    async def status() -> NodeReport:
        """Everything that is known, for people and tools. Always 200."""
        return _node_report(health.report(), identity, requests.report())

    @get(
        "/metrics",
        responses={200: text_spec(PROMETHEUS_TEXT, "The metrics.", "process_open_fds 21.0\n")},
        operation_class=negotiated_text(
            OPENMETRICS_TEXT, "OpenMetrics, for `Accept: application/openmetrics-text`."
        ),
        tags=["service"],
        media_type=PROMETHEUS_TEXT,
    )
    async def metrics(request: Request[Any, Any, Any]) -> Response[str]:
        """Metrics in Prometheus's text format, or as OpenMetrics where `Accept` prefers it."""
        openmetrics = prefers_openmetrics(request.headers.get("accept", ""))
        return Response(
            exposition(health.report(), openmetrics=openmetrics),  # type: ignore[arg-type]  # encoded
            media_type=OPENMETRICS_TEXT if openmetrics else PROMETHEUS_TEXT,
            headers={"Vary": "Accept"},
        )

    return [status, metrics]


def _node_report(
    report: StatusReport, identity: NodeIdentity, requests: HealthRequestReport
) -> NodeReport:
    return NodeReport(**asdict(report), node=identity.node, health_requests=requests)
