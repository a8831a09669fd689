"""What the examples of the OpenAPI document are made from: a node in several states."""

from datetime import UTC, datetime

from msgspec.structs import replace

from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import (
    USE_WINDOWS,
    Gpu,
    GpuInventory,
    GpuUse,
    UseShare,
    gpu_report,
    track,
)
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, observe
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["FAILURE", "GPU_REPORT", "INVENTORY", "LOST_GPU", "STATUS_REPORTS"]

_NVIDIA = "NVIDIA Corporation"
_H200 = f"{_NVIDIA} GH100 [H200 SXM 141GB]"
_NVSWITCH = f"{_NVIDIA} GH100 [H100 NVSwitch]"

INVENTORY = GpuInventory(
    gpus=(
        Gpu(slot="3b:00.0", product_id="10de:2335", description=_H200, is_free=True),
        Gpu(slot="4b:00.0", product_id="10de:2335", description=_NVIDIA, is_free=False),
    ),
    allow_attach_all=True,
    source_version="v0.5.11 (git:0123456789abcdef)",
    other_devices=(
        Gpu(slot="05:00.0", product_id="10de:22a3", description=_NVSWITCH, is_free=True),
    ),
)
FAILURE = CheckFailure(Reason.CONNECTION_REFUSED)

_START = Timestamp(0.0, datetime(2026, 1, 1, tzinfo=UTC))
_POLICY = CheckPolicy()


def _report(*results: CheckResult) -> StatusReport:
    """Return the report after a check each second with these results."""
    state = MonitorState(since=_START)
    for second, result in enumerate(results):
        finished = _START + (second + 0.125)
        check = Check(result=result, started=float(second), finished=finished)
        state = observe(state, check, _POLICY)
    return report(state, len(results) + 2.125, _POLICY)


_ONE_LOST = replace(INVENTORY, gpus=INVENTORY.gpus[1:])

STATUS_REPORTS = {
    "available": _report(INVENTORY),
    "degraded": _report(INVENTORY, _ONE_LOST, _ONE_LOST),
    "unavailable": _report(FAILURE),
}

_GPUS = track(track(None, INVENTORY, _START, 60.0), _ONE_LOST, _START + 10.0, 60.0)
_DEGRADED = track(_GPUS, _ONE_LOST, _START + 11.0, 60.0)
_SHARES = dict.fromkeys(USE_WINDOWS, UseShare(3600.0, 1200.0, 600.0))
_USE = GpuUse(node=_SHARES, slots={gpu.slot: _SHARES for gpu in INVENTORY.gpus})

GPU_REPORT = gpu_report(_DEGRADED, _USE)
(LOST_GPU,) = _DEGRADED.changes
