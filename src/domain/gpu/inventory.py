"""The inventory of GPUs as their source reports it, and the metadata of `/health` made from it."""

from collections.abc import Iterable

from msgspec import Struct

from dstack_backend.domain.gpu.model import is_gpu, model_of

__all__ = ["Gpu", "GpuInventory", "GpuInventoryMetadata", "GpuMetadata"]
__all__ += ["encodable", "gpu_metadata"]


class Gpu(Struct, frozen=True, kw_only=True, gc=False):
    """One GPU. The texts come from the source and are not trusted.

    Attributes:
        slot: PCI address as lspci prints it: `3b:00.0`, or `0000:3b:00.0` with several domains.
        product_id: PCI vendor and device in hexadecimal: `10de:2335`.
        description: Device name from the host's PCI id list; only the vendor's where it is old.
        is_free: Whether the GPU is unused. It does not mean that the GPU works.
    """

    slot: str
    product_id: str
    description: str
    is_free: bool

    @property
    def model(self) -> str | None:
        """The marketing name (`H200 SXM 141GB`); `None` where it is not known."""
        return model_of(self.product_id, self.description)


class GpuMetadata(Struct, frozen=True, kw_only=True, gc=False):
    """One GPU in the metadata: the four fields as the source sent them, and the model.

    Attributes:
        slot: PCI address.
        product_id: PCI vendor and device.
        description: Device name.
        is_free: Whether the GPU is unused.
        model: Marketing name; `None` where it is not known.
    """

    slot: str
    product_id: str
    description: str
    is_free: bool
    model: str | None


class GpuInventoryMetadata(Struct, frozen=True, kw_only=True):
    """The metadata of a node with GPUs while it is available.

    Attributes:
        gpu_count: Number of GPUs.
        gpus: The GPUs.
        allow_attach_all: Whether one machine may have all GPUs attached at once.
        free_gpu_count: Number of unused GPUs.
    """

    gpu_count: int
    gpus: tuple[GpuMetadata, ...]
    allow_attach_all: bool
    free_gpu_count: int


class GpuInventory(Struct, frozen=True, kw_only=True):
    """The GPUs of a node. Implements `Inventory`.

    Attributes:
        gpus: The GPUs, in the order in which the source lists them.
        allow_attach_all: Whether one machine may have all GPUs attached at once.
        source_version: Version of the software that answered, where it reports one.
        other_devices: What is listed but is no GPU, such as NVSwitches. Not in the metadata.
    """

    gpus: tuple[Gpu, ...] = ()
    allow_attach_all: bool = False
    source_version: str | None = None
    other_devices: tuple[Gpu, ...] = ()

    @classmethod
    def from_devices(
        cls,
        devices: Iterable[Gpu],
        *,
        allow_attach_all: bool = False,
        source_version: str | None = None,
    ) -> "GpuInventory":
        """Return the inventory of a list that may contain other devices than GPUs."""
        listed = tuple(devices)
        others = tuple(each for each in listed if not is_gpu(each.product_id))
        return cls(
            gpus=tuple(each for each in listed if is_gpu(each.product_id)) if others else listed,
            allow_attach_all=allow_attach_all,
            source_version=source_version,
            other_devices=others,
        )

    @property
    def free_count(self) -> int:
        """Number of unused GPUs."""
        return sum(gpu.is_free for gpu in self.gpus)

    @property
    def is_empty(self) -> bool:
        """Whether no GPU is listed."""
        return not self.gpus

    @property
    def summary(self) -> str:
        """One line for people, such as `8 GPUs, 5 free`."""
        count = len(self.gpus)
        if not count:
            return "no GPUs: the source lists none"
        return f"{count} {'GPU' if count == 1 else 'GPUs'}, {self.free_count} free"

    def metadata(self) -> GpuInventoryMetadata:
        """Return the metadata of `/health`."""
        return GpuInventoryMetadata(
            gpu_count=len(self.gpus),
            gpus=tuple(gpu_metadata(gpu) for gpu in self.gpus),
            allow_attach_all=self.allow_attach_all,
            free_gpu_count=self.free_count,
        )


def gpu_metadata(gpu: Gpu) -> GpuMetadata:
    """Return the metadata of one GPU."""
    return GpuMetadata(
        slot=encodable(gpu.slot),
        product_id=encodable(gpu.product_id),
        description=encodable(gpu.description),
        is_free=gpu.is_free,
        model=gpu.model,
    )


def encodable(text: str) -> str:
    """Return the text with a question mark for each character that UTF-8 cannot encode."""
    # A source that reads files may return lone surrogates: os.fsdecode makes them.
    return text if text.isascii() else text.encode(errors="replace").decode()
