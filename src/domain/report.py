"""Everything known about the node at one moment: the body of `GET /status`."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu.inventory import GpuMetadata
from dstack_backend.domain.gpu.report import MissingGpuReport, missing_gpus, other_devices
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, status_at, status_since
from dstack_backend.domain.status import Status

__all__ = ["LastCheck", "StatusReport", "report"]


class LastCheck(Struct, frozen=True, kw_only=True):
    """The check that finished last.

    Attributes:
        age_seconds: Seconds since it finished.
        duration_seconds: Seconds that it took.
        reason: Why it failed; `None` where it returned an inventory.
        message: The same for people; `None` where it returned an inventory.
    """

    age_seconds: float
    duration_seconds: float
    reason: Reason | None
    message: str | None


class StatusReport(Struct, frozen=True, kw_only=True):
    """Everything that is known, for people and tools.

    Attributes:
        status: What the network is told.
        reason: Why it is unavailable; `None` while it is available.
        message: The same for people, in one line.
        last_change: When the status last changed; at first, when the service started.
        last_check: The check that finished last; `None` before the first.
        last_success: When a check last returned an inventory.
        consecutive_failures: How many of the last checks in a row failed.
        source_version: The version that the source reported last.
        inventory: The metadata of the inventory while available; `None` otherwise.
        degraded: Whether GPUs are missing, or none is listed at all. This field and the next ones
            are absent while no inventory of GPUs is known.
        missing: The GPUs that were lost.
        other_devices: What is listed but is no GPU, such as NVSwitches.
    """

    status: Status
    reason: Reason | None
    message: str
    last_change: datetime
    last_check: LastCheck | None
    last_success: datetime | None
    consecutive_failures: int
    source_version: str | None
    inventory: Struct | None
    degraded: bool | UnsetType = UNSET
    missing: tuple[MissingGpuReport, ...] | UnsetType = UNSET
    other_devices: tuple[GpuMetadata, ...] | UnsetType = UNSET


def report(state: MonitorState, now: float, policy: CheckPolicy) -> StatusReport:
    """Return the report for `now` (seconds, monotonic)."""
    status, gpus = status_at(state, now, policy), state.gpus
    return StatusReport(
        status=status.status,
        reason=status.reason,
        message=status.message,
        last_change=status_since(state, now, policy).utc,
        last_check=_last_check(state, now),
        last_success=state.last_success.utc if state.last_success else None,
        consecutive_failures=state.consecutive_failures,
        source_version=state.source_version,
        inventory=status.inventory.metadata() if status.inventory else None,
        degraded=gpus.is_degraded if gpus else UNSET,
        missing=missing_gpus(gpus) if gpus else UNSET,
        other_devices=other_devices(gpus) if gpus else UNSET,
    )


def _last_check(state: MonitorState, now: float) -> LastCheck | None:
    check = state.last_check
    if check is None:
        return None
    return LastCheck(
        age_seconds=round(max(0.0, now - check.finished.monotonic), 3),
        duration_seconds=round(check.duration, 6),
        reason=check.failure.reason if check.failure else None,
        message=check.failure.message if check.failure else None,
    )
