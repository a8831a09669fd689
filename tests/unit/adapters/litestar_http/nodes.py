"""Nodes after several checks: GPUs are lost and return."""

import asyncio

from msgspec.structs import replace

from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import CheckPolicy, CheckResult, Gpu, GpuInventory, NodeIdentity
from dstack_backend.testing.fakes import FakeClock, FakeGpuSource, FakeHealth, FakeNotifier
from tests.unit.adapters.litestar_http.harness import AppClient

__all__ = ["NVSWITCH", "ONE_LOST", "TWO_GPUS", "Node", "app_after"]

NVSWITCH = Gpu(slot="05:00.0", product_id="10de:22a3", description="[H100 NVSwitch]", is_free=True)
TWO_GPUS = GpuInventory(
    gpus=(
        Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True),
        Gpu(slot="4b:00.0", product_id="10de:2335", description="NVIDIA", is_free=False),
    ),
)
ONE_LOST = replace(TWO_GPUS, gpus=TWO_GPUS.gpus[1:])


class Node:
    """A monitor that a test drives, one check at a time.

    Attributes:
        clock: Virtual time.
        notifier: Counts the updates.
        monitor: The monitor.
    """

    def __init__(self) -> None:
        """Create a node before its first check."""
        self._results: list[CheckResult] = []
        self.clock = FakeClock()
        self.notifier = FakeNotifier()
        self.monitor = Monitor(
            FakeGpuSource(lambda: self._results.pop(0)),
            self.clock,
            policy=CheckPolicy(),
            identity=NodeIdentity(),
            observers=[self.notifier],
        )

    async def check(self, *results: CheckResult) -> None:
        """Finish a check with each of these results, and let a second pass after each."""
        for result in results:
            self._results.append(result)
            await self.monitor.check()
            await self.clock.advance(1.0)

    def publish(self, health: FakeHealth) -> None:
        """Set the state of a fake to that of the node."""
        health.health_response = self.monitor.response()
        health.status_report = self.monitor.report()
        health.gpu_state = self.monitor.gpus()
        health.ready = self.monitor.is_ready()


def app_after(*results: CheckResult, later: float = 0.0) -> AppClient:
    """Return the application so many seconds after checks with these results."""

    async def run() -> AppClient:
        node, app = Node(), AppClient()
        await node.check(*results)
        await node.clock.advance(later)
        node.publish(app.health)
        return app

    return asyncio.run(run())
