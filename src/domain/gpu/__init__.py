"""GPUs: their inventory, the marketing name of a model, the node type."""

from dstack_backend.domain.gpu.inventory import (
    Gpu,
    GpuInventory,
    GpuInventoryMetadata,
    GpuMetadata,
)
from dstack_backend.domain.gpu.model import KNOWN_MODELS, model_of
from dstack_backend.domain.gpu.node_type import NoNodeType, node_type

__all__ = [
    "KNOWN_MODELS",
    "Gpu",
    "GpuInventory",
    "GpuInventoryMetadata",
    "GpuMetadata",
    "NoNodeType",
    "model_of",
    "node_type",
]
