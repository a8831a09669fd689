"""Responses of `/`, `/health`, the probes, `/status` and `/metrics`."""

from dataclasses import dataclass
from datetime import UTC, datetime

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Schema

from dstack_backend.adapters.litestar_http.openapi.spec import Responses, json_spec, text_spec
from dstack_backend.adapters.litestar_http.schemas import (
    Liveness,
    Readiness,
    ServiceInfo,
    service_info,
)
from dstack_backend.domain.backend_info import DSTACK, BackendInfo, NodeIdentity, describe
from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory, GpuInventoryMetadata
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, observe
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.domain.status import Status, assess
from dstack_backend.domain.timestamp import Timestamp

__all__ = [
    "LIVENESS",
    "METRICS",
    "READINESS",
    "IndexOperation",
    "health_responses",
    "index_responses",
    "status_responses",
]

_AVAILABLE = GpuInventory(
    gpus=tuple(
        Gpu(slot=slot, product_id="10de:2335", description=description, is_free=is_free)
        for slot, description, is_free in (
            ("3b:00.0", "NVIDIA Corporation GH100 [H200 SXM 141GB]", True),
            ("4b:00.0", "NVIDIA Corporation", False),
        )
    ),
    allow_attach_all=True,
    source_version="v0.5.11 (git:0123456789abcdef)",
)
_UNAVAILABLE = CheckFailure(Reason.CONNECTION_REFUSED)

LIVENESS: Responses = {200: json_spec(Liveness, "This process works.", alive=Liveness(alive=True))}
READINESS: Responses = {
    200: json_spec(Readiness, "A first check has finished.", ready=Readiness(ready=True)),
    503: json_spec(Readiness, "No check has finished yet.", starting=Readiness(ready=False)),
}
METRICS: Responses = {
    200: text_spec("text/plain; version=0.0.4", "The metrics.", "process_open_fds 21.0\n")
}


class GpuStatusReport(StatusReport, frozen=True, kw_only=True):
    """Everything that is known of a node with GPUs."""

    inventory: GpuInventoryMetadata | None


def health_responses(identity: NodeIdentity) -> Responses:
    """Return the responses of `/health`."""
    return {
        200: json_spec(
            BackendInfo,
            f"{identity.source} is online.",
            available=describe(assess(_AVAILABLE), identity),
        ),
        503: json_spec(
            BackendInfo,
            f"{identity.source} is not online, or nothing recent is known.",
            unavailable=describe(assess(_UNAVAILABLE), identity),
            starting=describe(assess(CheckFailure(Reason.STARTING)), identity),
        ),
    }


def status_responses(identity: NodeIdentity) -> Responses:
    """Return the responses of `/status`. The inventory of another source may be any object."""
    return {
        200: json_spec(
            GpuStatusReport if identity.source == DSTACK else StatusReport,
            "Everything that is known.",
            available=_report(_AVAILABLE),
            unavailable=_report(_UNAVAILABLE),
        )
    }


def index_responses(identity: NodeIdentity) -> Responses:
    """Return the JSON responses of `/`."""
    info = service_info(identity, Status.AVAILABLE, None)
    return {200: json_spec(ServiceInfo, "The service and its status.", available=info)}


@dataclass
class IndexOperation(Operation):
    """Adds the HTML page to `GET /`: Litestar describes one type of body for a status."""

    def __post_init__(self) -> None:
        """Add the page."""
        content = getattr((self.responses or {}).get("200"), "content", None)
        if content is not None:
            content["text/html"] = OpenAPIMediaType(
                schema=Schema(
                    type=OpenAPIType.STRING,
                    description="The node's page, for `Accept: text/html`, as browsers send it.",
                )
            )


def _report(result: CheckResult) -> StatusReport:
    start = Timestamp(0.0, datetime(2026, 1, 1, tzinfo=UTC))
    check = Check(result=result, started=0.0, finished=start + 0.125)
    return report(observe(MonitorState(since=start), check, CheckPolicy()), 3.125, CheckPolicy())
