"""The GPUs of a node, as its source of GPUs reports them."""

from msgspec import Struct

__all__ = ["Gpu", "GpuInventory"]


class Gpu(Struct, frozen=True, kw_only=True, gc=False):
    """One GPU. The texts are the source's own and are trusted for nothing.

    Attributes:
        slot: PCI address, as lspci writes it: `3b:00.0`, or `0000:3b:00.0` with several domains.
        product_id: PCI vendor and device, in hexadecimal: `10de:2335`.
        description: Device name by the host's PCI id list; only the vendor's where it is old.
        is_free: Nobody uses the GPU. It does not mean that the GPU works.
    """

    slot: str
    product_id: str
    description: str
    is_free: bool


class GpuInventory(Struct, frozen=True, kw_only=True):
    """A good answer to the question which GPUs the node has.

    Attributes:
        gpus: The GPUs, in the order in which the source reports them.
        allow_attach_all: Whether one machine may have all GPUs attached at once.
        source_version: Version of the software that answered, where it says so.
    """

    gpus: tuple[Gpu, ...] = ()
    allow_attach_all: bool = False
    source_version: str | None = None

    @property
    def free_count(self) -> int:
        """How many GPUs nobody uses."""
        return sum(gpu.is_free for gpu in self.gpus)
