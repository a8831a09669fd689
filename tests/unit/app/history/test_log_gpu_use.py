"""The time in use, as the log keeps it over restarts, lost files and wrong clocks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstack_backend.domain.history import HistoryError
from dstack_backend.domain.monitor import CheckPolicy
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.gpu_harness import GpuNode
from tests.unit.app.history.harness import FaultyStore, eventually, play

A, B = "19:00.0", "3b:00.0"
DAY = 86_400.0


STEPS = st.sampled_from(["check", "use", "outage", "fail", "recover", "empty", "beat", "restart"])


class UseModel:
    """Follows steps, and adds up the time in use and the free time that the log must know."""

    def __init__(self) -> None:
        self.store = FaultyStore()
        self.seconds = [0.0, 0.0]
        self.second = 0.0

    async def run(self, todo: list[str]) -> list[str]:
        """Start a process, follow the steps to its end, and return the other steps."""
        node = GpuNode(self.store)
        await node.clock.advance(self.second)
        self.column: int | None = None  # what the last check listed
        self.checked = 0.0
        async with node.running():
            await eventually(lambda: node.clock.waiting)
            while todo and todo[0] != "restart":
                await self.follow(node, todo[0])
                todo = todo[1:]
            self.store.error = None
            if any(self.seconds):
                assert await node.use() == tuple(self.seconds)
        self.second = (node.clock.utc() - EPOCH).total_seconds() + 1
        return todo[1:]

    async def follow(self, node: GpuNode, step: str) -> None:
        """Follow a step."""
        match step:
            case "check" | "use":
                node.show([A], used=[A] if step == "use" else [])
                await node.checks(1, every=5)
                passed = node.clock.monotonic() - self.checked
                if self.column is not None and passed <= CheckPolicy().stale_after:
                    self.seconds[self.column] += passed
                self.column, self.checked = int(step == "check"), node.clock.monotonic()
            case "outage":
                node.fail()
                await node.checks(1, every=5)
                self.column = None
            case "beat":
                await node.beat()
            case "empty":
                self.store.replace()
            case _:
                self.store.error = HistoryError("disk full") if step == "fail" else None


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_time_in_use_survives_everything_but_a_kill(steps: list[str]) -> None:
    """Restarts, failed saves, and a file that is removed: each second counts once."""
    model = UseModel()

    async def scenario() -> None:
        todo = [*steps, "restart"]
        while todo:
            todo = await model.run(todo)

    play(scenario)
    stored = [pair for each in model.store.load().use for pair in each.slots.values()]
    assert [sum(pair[0] for pair in stored), sum(pair[1] for pair in stored)] == model.seconds


def test_removed_file_gets_all_of_the_gpus_again() -> None:
    """State, entries and all periods, though none of them has changed since."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.show([A, B])
            await node.checks(1)
            node.show([A])
            await node.checks(400, every=9.0)
            await node.beat()
            before = node.store.load()
            assert before.gpus
            assert len(before.use) == 3
            node.store.replace()
            await node.beat()
            after = node.store.load()
            assert (after.gpus, after.use) == (before.gpus, before.use)
            assert [each for each in after.entries if each.gpu] == [
                each for each in before.entries if each.gpu
            ]

    play(scenario)


@pytest.mark.parametrize("error", [400 * DAY, 3600.0, -3600.0, -40 * 365 * DAY])
def test_wrong_clock_costs_only_its_own_time(error: float) -> None:
    """Ahead, set back, or not set: what was recorded before is there again after it."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.show([A, B], used=[A])
            await node.checks(721)
            assert await node.use() == (7200.0, 7200.0)
            node.clock.suspend(error)
            await node.checks(360)
            node.show([B])
            await node.checks(360)
            node.clock.suspend(-error)
            await node.checks(1)
            in_use, free = await node.use()
            assert in_use >= 7200.0
            assert in_use + free >= 14_400.0
            assert node.missing == [A]
            await node.beat()
        second = (node.clock.utc() - EPOCH).total_seconds()
        again = GpuNode(node.store)
        await again.clock.advance(second + 60)
        async with again.running():
            await again.beat()
            assert (await again.use())[0] == in_use

    play(scenario)
