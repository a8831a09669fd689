"""Sources of GPUs that do what a test says, and all suites over one of them."""

from collections.abc import Awaitable, Callable

from dstack_backend.domain import CheckResult, Gpu, GpuInventory, GpuSource
from dstack_backend.testing.contracts import InventoryContract, TimeoutContract

__all__ = ["GOOD", "Call", "Source", "Suite"]

GOOD = GpuInventory(
    gpus=(Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True),),
    allow_attach_all=True,
)

Call = Callable[[], Awaitable[CheckResult]]
"""What a call does."""


class Source:
    """A source of GPUs whose call does what a test says."""

    def __init__(self, call: Call) -> None:
        """Keep what a call does."""
        self._call = call

    async def list_gpus(self) -> CheckResult:
        """Do it."""
        return await self._call()


class Suite(InventoryContract, TimeoutContract):
    """Every test that there is for sources, over the same one; a test calls those it wants."""

    deadline = 0.2

    def __init__(self, call: Call) -> None:
        """Keep what a call of the source does."""
        self._source = Source(call)

    def source(self) -> GpuSource:
        """Give it."""
        return self._source

    def source_of(self, inventory: GpuInventory) -> GpuSource:  # noqa: ARG002 - it ignores it
        """Give it, whatever it is to have."""
        return self._source

    def hanging_source(self) -> GpuSource:
        """Give it, whether it hangs or not."""
        return self._source
