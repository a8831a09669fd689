"""Sources whose calls a test defines, and all suites over one of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from dstack_backend.domain import Gpu, GpuInventory, GpuSource
from dstack_backend.testing.contracts import GpuInventoryContract, TimeoutContract

__all__ = ["GOOD", "Call", "Source", "Suite"]

GOOD = GpuInventory(
    gpus=(Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True),),
    allow_attach_all=True,
)

Call = Callable[[], Awaitable[Any]]
"""The body of `list_gpus`. It may return anything: faulty sources do."""


class Source:
    """A source with a given `list_gpus`."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def list_gpus(self) -> Any:
        """Run it."""
        return await self._call()


class Suite(GpuInventoryContract, TimeoutContract):
    """All suites over the same source; a test calls single methods."""

    deadline = 0.2

    def __init__(self, call: Call) -> None:
        self._source = Source(call)

    def source(self) -> GpuSource:
        """Return it."""
        return self._source

    def source_of(self, inventory: GpuInventory) -> GpuSource:  # noqa: ARG002 - it ignores it
        """Return it, whatever its inventory is."""
        return self._source

    def hanging_source(self) -> GpuSource:
        """Return it, whether it hangs or not."""
        return self._source
