"""GPUs: inventory, model, node type; what changes from check to check, and time in use."""

from dstack_backend.domain.gpu.change import GpuChange, GpuChangeKind, gpu_name
from dstack_backend.domain.gpu.inventory import (
    Gpu,
    GpuInventory,
    GpuInventoryMetadata,
    GpuMetadata,
)
from dstack_backend.domain.gpu.model import KNOWN_MODELS, is_gpu, is_pci_address, model_of
from dstack_backend.domain.gpu.node_type import NoNodeType, node_type
from dstack_backend.domain.gpu.report import (
    GpuCondition,
    GpuDetails,
    GpuReport,
    MissingGpuReport,
    UseReport,
    degraded_since,
    gpu_report,
    missing_gpus,
    other_devices,
)
from dstack_backend.domain.gpu.state import GpuState, MissingGpu, StoredGpus, TrackedGpu
from dstack_backend.domain.gpu.tracking import forget, interrupt, restore, track
from dstack_backend.domain.gpu.use import USE_WINDOWS, GpuUse, UsePeriod, UseRecord, UseShare

__all__ = [
    "KNOWN_MODELS",
    "USE_WINDOWS",
    "Gpu",
    "GpuChange",
    "GpuChangeKind",
    "GpuCondition",
    "GpuDetails",
    "GpuInventory",
    "GpuInventoryMetadata",
    "GpuMetadata",
    "GpuReport",
    "GpuState",
    "GpuUse",
    "MissingGpu",
    "MissingGpuReport",
    "NoNodeType",
    "StoredGpus",
    "TrackedGpu",
    "UsePeriod",
    "UseRecord",
    "UseReport",
    "UseShare",
    "degraded_since",
    "forget",
    "gpu_name",
    "gpu_report",
    "interrupt",
    "is_gpu",
    "is_pci_address",
    "missing_gpus",
    "model_of",
    "node_type",
    "other_devices",
    "restore",
    "track",
]
