"""A node with GPUs: a monitor, and the log of its history."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import CheckFailure, CheckResult, Gpu, GpuInventory, Reason
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.history import EntryKind
from dstack_backend.domain.monitor import CheckPolicy
from dstack_backend.testing.fakes import FakeGpuSource
from tests.unit.app.history.harness import FaultyStore, HistoryHarness

__all__ = ["GpuNode"]


class GpuNode(HistoryHarness):
    """A process that checks when a test wants it to."""

    def __init__(
        self,
        store: FaultyStore | None = None,
        keep: timedelta | None = None,
        policy: CheckPolicy | None = None,
    ) -> None:
        super().__init__(store, keep)
        self._result: CheckResult = GpuInventory()
        self.monitor = Monitor(
            FakeGpuSource(lambda: self._result),
            self.clock,
            policy=policy or CheckPolicy(),
            identity=NodeIdentity(),
            observers=[self.log],
        )
        self.gpu_memory = self.monitor

    def show(
        self, slots: Iterable[str], *, used: Collection[str] = (), product_id: str = "10de:2335"
    ) -> None:
        """List GPUs in these slots from now on."""
        gpus = [
            Gpu(slot=slot, product_id=product_id, description="", is_free=slot not in used)
            for slot in slots
        ]
        self._result = GpuInventory(gpus=tuple(gpus))

    def fail(self) -> None:
        """List nothing from now on, as a source that is down."""
        self._result = CheckFailure(Reason.CONNECTION_REFUSED)

    async def checks(self, count: int = 2, every: float = 10.0) -> None:
        """Check a number of times, and let time pass before each."""
        for _ in range(count):
            await self.clock.advance(every)
            await self.monitor.check()

    @property
    def missing(self) -> list[str]:
        """The slots of the missing GPUs."""
        gpus = self.monitor.gpus()
        return [each.gpu.slot for each in gpus.missing.values()] if gpus else []

    async def events(self) -> list[tuple[EntryKind, str]]:
        """Return kind and slot of each change of a GPU that readers see, in order."""
        entries = await self.log.latest(100_000, kinds=set(EntryKind))
        return [(each.kind, each.gpu.slot) for each in reversed(entries) if each.gpu]

    async def use(self, window: str = "30d") -> tuple[float, float]:
        """Return the seconds in use and the seconds free of all GPUs."""
        share = (await self.log.gpu_use()).node[window]
        return share.in_use_seconds, share.free_seconds
