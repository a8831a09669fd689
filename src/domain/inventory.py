"""The protocol of an inventory: the resources of a node, whatever they are."""

from typing import Protocol, runtime_checkable

from msgspec import Struct

__all__ = ["Inventory"]


@runtime_checkable
class Inventory(Protocol):
    """What a successful check returns. Implementations are immutable.

    `dstack_backend.domain.GpuInventory` is the one for GPUs.
    """

    @property
    def is_empty(self) -> bool:
        """Whether the source works but lists no resource."""
        ...

    @property
    def summary(self) -> str:
        """One line for people, such as `8 GPUs, 5 free`."""
        ...

    @property
    def source_version(self) -> str | None:
        """Version of the software that answered; `None` where it does not report one."""
        ...

    def metadata(self) -> Struct:
        """Return the metadata of `/health`: a struct that msgspec encodes as a JSON object."""
        ...
