"""What happened to one GPU between two checks."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.formatting import escape, format_time
from dstack_backend.domain.gpu.inventory import Gpu

__all__ = ["GpuChange", "GpuChangeKind", "gpu_name"]


class GpuChangeKind(StrEnum):
    """What happened to a GPU. The codes are stored and stable."""

    LOST = "lost"
    FOUND = "found"
    REPLACED = "replaced"
    ALLOCATED = "allocated"
    RELEASED = "released"

    @property
    def is_use(self) -> bool:
        """Whether only the use of the GPU changed, which is normal."""
        return self in (GpuChangeKind.ALLOCATED, GpuChangeKind.RELEASED)


class GpuChange(Struct, frozen=True):
    """What happened to one GPU.

    Attributes:
        kind: What happened.
        at: When the check that showed it finished.
        gpu: The GPU: as it is listed now, or as a lost one was listed last.
        last_seen: Of a lost GPU, and of one that was missing until now, when it was last listed
            before. `None` otherwise.
        before: The GPU that a replaced one was; `None` for other kinds.
    """

    kind: GpuChangeKind
    at: datetime
    gpu: Gpu
    last_seen: datetime | None = None
    before: Gpu | None = None

    @property
    def has_returned(self) -> bool:
        """Whether a GPU is listed again that was missing."""
        return self.kind is not GpuChangeKind.LOST and self.last_seen is not None

    @property
    def message(self) -> str:
        """The same for people, in one line."""
        name = gpu_name(self.gpu)
        if self.kind is GpuChangeKind.LOST and self.last_seen:
            return f"lost: {name}, last seen {format_time(self.last_seen)} UTC"
        if self.before:
            return f"replaced: {name}, formerly {_model(self.before)}"
        if self.last_seen:
            return f"returned: {name}, missing since {format_time(self.last_seen)} UTC"
        return f"{self.kind}: {name}"


def gpu_name(gpu: Gpu) -> str:
    """Return model and slot for people: `H200 SXM 141GB in 3b:00.0`."""
    return f"{_model(gpu)} in {escape(gpu.slot or 'an unknown slot')}"


def _model(gpu: Gpu) -> str:
    return escape(gpu.model or gpu.product_id or "a GPU of an unknown model")
