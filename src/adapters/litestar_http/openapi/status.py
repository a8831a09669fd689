"""What OpenAPI says of each path beyond its types: the examples are made by the code they show."""

from collections.abc import Mapping
from datetime import UTC, datetime

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Example

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.openapi.examples import json_spec
from dstack_backend.adapters.litestar_http.schemas import (
    LINKS,
    Liveness,
    Readiness,
    ServiceInfo,
)
from dstack_backend.domain.backend_info import BackendInfo, describe
from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, observe
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.domain.status import Status, assess
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["CONFIG", "HEALTH", "LIVENESS", "METRICS", "READINESS", "SERVICE_INFO", "STATUS"]

CONFIG = OpenAPIConfig(
    title="dstack-backend",
    version=__version__,
    description="Health backend of a DePHY GPU node: what DStack says of its GPUs.",
    render_plugins=[JsonRenderPlugin(), YamlRenderPlugin()],
)

_GOOD = GpuInventory(
    gpus=(
        Gpu(
            slot="3b:00.0",
            product_id="10de:2335",
            description="NVIDIA Corporation GH100 [H200 SXM 141GB]",
            is_free=True,
        ),
        Gpu(
            slot="4b:00.0",
            product_id="10de:2335",
            description="NVIDIA Corporation",
            is_free=False,
        ),
    ),
    allow_attach_all=True,
    source_version="v0.5.11 (git:0123456789abcdef)",
)
_BAD = CheckFailure(Reason.CONNECTION_REFUSED)


def _report(result: CheckResult) -> StatusReport:
    start = Timestamp(0.0, datetime(2026, 1, 1, tzinfo=UTC))
    check = Check(result=result, started=0.0, finished=start + 0.125)
    return report(observe(MonitorState(since=start), check, CheckPolicy()), 3.125, CheckPolicy())


HEALTH: Mapping[int, ResponseSpec] = {
    200: json_spec(BackendInfo, "DStack is online.", available=describe(assess(_GOOD))),
    503: json_spec(
        BackendInfo,
        "DStack is not online, or nothing recent is known.",
        unavailable=describe(assess(_BAD)),
        starting=describe(assess(CheckFailure(Reason.STARTING))),
    ),
}
STATUS: Mapping[int, ResponseSpec] = {
    200: json_spec(
        StatusReport,
        "Everything that is known.",
        available=_report(_GOOD),
        unavailable=_report(_BAD),
    )
}
SERVICE_INFO: Mapping[int, ResponseSpec] = {
    200: json_spec(
        ServiceInfo,
        "What this service is.",
        available=ServiceInfo(
            name="dstack-backend",
            version=__version__,
            status=Status.AVAILABLE,
            reason=None,
            links=LINKS,
        ),
    )
}
LIVENESS: Mapping[int, ResponseSpec] = {
    200: json_spec(Liveness, "This process works.", alive=Liveness(alive=True))
}
READINESS: Mapping[int, ResponseSpec] = {
    200: json_spec(Readiness, "A first check has finished.", ready=Readiness(ready=True)),
    503: json_spec(Readiness, "No check has finished yet.", starting=Readiness(ready=False)),
}
METRICS: Mapping[int, ResponseSpec] = {
    200: ResponseSpec(
        data_container=str,
        description="The metrics.",
        media_type="text/plain; version=0.0.4",
        generate_examples=False,
        examples=[Example(summary="up", value="dstack_backend_up 1.0\n")],
    )
}
