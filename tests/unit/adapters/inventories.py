"""Inventories of embedding backends: one that is not about GPUs, one with a field more."""

from msgspec import Struct

from dstack_backend.domain import GpuInventory, GpuInventoryMetadata

__all__ = ["DiskInventory", "RackInventory"]


class _DiskMetadata(Struct):
    free_bytes: int


class DiskInventory:
    """An inventory of disks."""

    is_empty = False
    summary = "2 disks, <5> TB free"
    source_version = "6.1"

    def metadata(self) -> Struct:
        """Return the metadata."""
        return _DiskMetadata(free_bytes=5)


class _RackMetadata(GpuInventoryMetadata, frozen=True, kw_only=True):
    rack: str


class RackInventory(GpuInventory, frozen=True, kw_only=True):
    """An inventory of GPUs whose metadata names their rack."""

    def metadata(self) -> _RackMetadata:
        """Return the metadata with a field more."""
        gpus = super().metadata()
        fields = {name: getattr(gpus, name) for name in gpus.__struct_fields__}
        return _RackMetadata(**fields, rack="r7")
