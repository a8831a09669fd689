"""What is known of the GPUs of a node. No text of the source is in it without a bound."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from dstack_backend.domain.gpu.change import GpuChange
from dstack_backend.domain.gpu.inventory import Gpu, GpuInventory, encodable
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["GpuState", "Key", "MissingGpu", "StoredGpus", "TrackedGpu", "bounded", "keyed"]

MAX_SLOT, MAX_TEXT = 40, 200
"""Characters of a slot and of the other texts."""

Key = tuple[str, int]
"""The slot, and the number among the GPUs that have it, from 0."""

Known = TypeVar("Known", "TrackedGpu", "MissingGpu")


class TrackedGpu(Struct, frozen=True, gc=False):
    """A GPU as it was last listed, with bounded texts.

    Attributes:
        gpu: Its fields.
        since: Since when it is listed with this product id and this use, as far as is known.
        number: Its number among the GPUs that have the same slot, from 0.
    """

    gpu: Gpu
    since: datetime
    number: int = 0


class MissingGpu(Struct, frozen=True, gc=False):
    """A GPU that was lost.

    Attributes:
        gpu: Its fields as they were last listed.
        last_seen: When a check last listed it.
        number: Its number among the GPUs that have the same slot, from 0.
    """

    gpu: Gpu
    last_seen: datetime
    number: int = 0


class StoredGpus(Struct, frozen=True):
    """What is remembered of the GPUs while the service does not run.

    Attributes:
        present: The GPUs that the last good check listed.
        missing: The GPUs that were lost.
    """

    present: tuple[TrackedGpu, ...] = ()
    missing: tuple[MissingGpu, ...] = ()


class GpuState(Struct, frozen=True, kw_only=True):
    """What is known of the GPUs.

    Attributes:
        inventory: What the last good check listed.
        seen_at: When it finished, by the wall clock.
        present: The GPUs that count as present, with those whose loss is not confirmed.
        missing: The GPUs that were lost.
        unconfirmed: The GPUs that the last good check did not list, and when one last did.
        count: How many GPUs count for a required number: those present in this process.
        needs_confirmation: Whether a check is due after 1 s.
        changes: What the last check changed.
        last_good: When the last check finished, if it was good.
        counted: Seconds up to the last check that count as known time, with the use in `used`.
        used: The GPUs as they were in that time.
        steady_since: Since when the wall clock has not been set.
    """

    inventory: GpuInventory = GpuInventory()
    seen_at: datetime
    present: dict[Key, TrackedGpu] = {}
    missing: dict[Key, MissingGpu] = {}
    unconfirmed: dict[Key, datetime] = {}
    count: int = 0
    needs_confirmation: bool = False
    changes: tuple[GpuChange, ...] = ()
    last_good: Timestamp | None = None
    counted: float = 0.0
    used: dict[Key, TrackedGpu] = {}
    steady_since: Timestamp | None = None

    @property
    def stored(self) -> StoredGpus:
        """What is to be remembered."""
        return StoredGpus(tuple(self.present.values()), tuple(self.missing.values()))

    @property
    def is_known(self) -> bool:
        """Whether there is any GPU, present or missing."""
        return bool(self.present or self.missing)

    @property
    def is_degraded(self) -> bool:
        """Whether GPUs are missing, or none is listed at all."""
        return bool(self.missing) or not self.present


def keyed(gpus: Iterable[Known]) -> dict[Key, Known]:
    """Return the GPUs by their keys."""
    return {(each.gpu.slot, each.number): each for each in gpus}


def bounded(gpu: Gpu) -> Gpu:
    """Return the GPU with bounded texts that can be encoded."""
    text = f"{gpu.slot}{gpu.product_id}{gpu.description}"
    if len(gpu.slot) <= MAX_SLOT and len(text) <= MAX_TEXT and text.isascii():
        return gpu
    return Gpu(
        slot=encodable(gpu.slot[:MAX_SLOT]),
        product_id=encodable(gpu.product_id[:MAX_TEXT]),
        description=encodable(gpu.description[:MAX_TEXT]),
        is_free=gpu.is_free,
    )
