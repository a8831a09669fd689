"""What is known of each GPU at one moment: the body of `GET /gpus`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.gpu.inventory import Gpu, GpuMetadata, gpu_metadata
from dstack_backend.domain.gpu.state import GpuState, MissingGpu, bounded
from dstack_backend.domain.gpu.use import GpuUse, UseShare

__all__ = ["GpuCondition", "GpuDetails", "GpuReport", "MissingGpuReport", "UseReport"]
__all__ += ["degraded_since", "gpu_report", "missing_gpus", "other_devices"]

MAX_OTHER_DEVICES = 64
"""Of the devices that are no GPUs; a node has at most 6 today."""


class GpuCondition(StrEnum):
    """The state of a GPU that is listed."""

    FREE = "free"
    IN_USE = "in_use"


class UseReport(Struct, frozen=True):
    """The share of a window of time that a GPU was in use.

    Attributes:
        in_use_percent: Share of the known time; `None` where nothing is known.
        unknown_percent: Share of the whole time of which nothing is known.
    """

    in_use_percent: float | None
    unknown_percent: float


class GpuDetails(Struct, frozen=True, kw_only=True):
    """One GPU that is listed.

    Attributes:
        slot: PCI address.
        product_id: PCI vendor and device.
        description: Device name.
        model: Marketing name; `None` where it is not known.
        state: Whether it is in use.
        since: Since when, as far as is known.
        use: The share of the time in use, by window.
    """

    slot: str
    product_id: str
    description: str
    model: str | None
    state: GpuCondition
    since: datetime
    use: Mapping[str, UseReport]


class MissingGpuReport(Struct, frozen=True, kw_only=True):
    """One GPU that was lost.

    Attributes:
        slot: PCI address.
        product_id: PCI vendor and device.
        model: Marketing name; `None` where it is not known.
        last_seen: When a check last listed it.
    """

    slot: str
    product_id: str
    model: str | None
    last_seen: datetime


class GpuReport(Struct, frozen=True, kw_only=True):
    """What is known of the GPUs.

    Attributes:
        degraded: Whether GPUs are missing, or none is listed at all.
        current: Whether the last check listed `gpus`. Otherwise they are the last known ones.
        seen_at: When a check last listed `gpus`.
        use: The share of the time in use of all GPUs together, by window.
        gpus: The GPUs.
        missing: The GPUs that were lost, until they return, are forgotten, or 30 days have passed.
        other_devices: What is listed but is no GPU, such as NVSwitches.
    """

    degraded: bool
    current: bool
    seen_at: datetime
    use: Mapping[str, UseReport]
    gpus: tuple[GpuDetails, ...]
    missing: tuple[MissingGpuReport, ...]
    other_devices: tuple[GpuMetadata, ...]


def gpu_report(state: GpuState, use: GpuUse) -> GpuReport:
    """Return the report. A GPU whose loss is not confirmed yet is still among `gpus`."""
    return GpuReport(
        degraded=state.is_degraded,
        current=state.last_good is not None,
        seen_at=state.seen_at,
        use=_use(use.node),
        gpus=tuple(
            _details(each.gpu, each.since, use.slots.get(each.gpu.slot, {}))
            for _, each in sorted(state.present.items())
        ),
        missing=missing_gpus(state),
        other_devices=other_devices(state),
    )


def missing_gpus(state: GpuState) -> tuple[MissingGpuReport, ...]:
    """Return the GPUs that were lost."""
    return tuple(map(_missing, state.missing.values()))


def degraded_since(last_change: datetime, last_seen: Iterable[datetime]) -> datetime:
    """Return since when an available node is degraded.

    Args:
        last_change: Since when it is available.
        last_seen: When each missing GPU was last listed.
    """
    return max(last_change, min(last_seen, default=last_change))


def other_devices(state: GpuState) -> tuple[GpuMetadata, ...]:
    """Return what is listed but is no GPU: the first of it, with bounded texts."""
    devices = state.inventory.other_devices[:MAX_OTHER_DEVICES]
    return tuple(gpu_metadata(bounded(each)) for each in devices)


def _details(gpu: Gpu, since: datetime, use: Mapping[str, UseShare]) -> GpuDetails:
    return GpuDetails(
        slot=gpu.slot,
        product_id=gpu.product_id,
        description=gpu.description,
        model=gpu.model,
        state=GpuCondition.FREE if gpu.is_free else GpuCondition.IN_USE,
        since=since,
        use=_use(use),
    )


def _missing(each: MissingGpu) -> MissingGpuReport:
    gpu = each.gpu
    return MissingGpuReport(
        slot=gpu.slot, product_id=gpu.product_id, model=gpu.model, last_seen=each.last_seen
    )


def _use(shares: Mapping[str, UseShare]) -> dict[str, UseReport]:
    return {
        name: UseReport(
            None if share.in_use_percent is None else round(share.in_use_percent, 6),
            round(share.unknown_percent, 6),
        )
        for name, share in shares.items()
    }
