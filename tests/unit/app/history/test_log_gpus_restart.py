"""What the log remembers of the GPUs over restarts, lost files and wrong clocks."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstack_backend.domain import Status
from dstack_backend.domain.history import EntryKind, GapCause, HistoryError
from dstack_backend.domain.monitor import CheckPolicy
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.gpu_harness import GpuNode
from tests.unit.app.history.harness import FaultyStore, eventually, play
from tests.unit.history_entries import at

A, B, C, D = "19:00.0", "3b:00.0", "4c:00.0", "5d:00.0"
DAY = 86_400.0


async def run_once(store: FaultyStore, slots: Sequence[str], second: float = 0) -> GpuNode:
    """Run a process for 40 s that lists these GPUs, from a second on."""
    node = GpuNode(store)
    await node.clock.advance(second)
    async with node.running():
        await eventually(lambda: node.clock.waiting)
        node.show(slots)
        await node.checks(4)
        await node.beat()
    return node


@pytest.mark.parametrize("opens_after", [0, 3])
def test_gpu_that_is_gone_after_a_restart_is_lost(opens_after: int) -> None:
    """It was last seen when the earlier process was; also where the file opens after checks."""
    store = FaultyStore()

    async def scenario() -> None:
        await run_once(store, [A, B])
        node = GpuNode(store)
        await node.clock.advance(1000)
        node.open_error = HistoryError("not mounted yet")
        async with node.running():
            node.show([A])
            await node.checks(opens_after)
            assert node.missing == []
            node.open_error = None
            await node.beat()
            await node.checks(2)
            await node.beat()
            (lost,) = await node.log.latest(9, kinds=[EntryKind.GPU_LOST])
            assert lost.gpu
            assert (lost.gpu.slot, lost.gpu.last_seen) == (B, at(50))
            assert node.missing == [B]
            assert len(node.store.load().entries) == len(await node.log.latest(100))

    play(scenario)


def test_changes_from_before_the_file_opens_are_saved() -> None:
    """After what an earlier process wrote, with numbers of their own."""
    store = FaultyStore()

    async def scenario() -> None:
        await run_once(store, [A, B])
        node = GpuNode(store)
        await node.clock.advance(1000)
        node.open_error = HistoryError("not mounted yet")
        async with node.running():
            node.show([A, B])
            await node.checks(1)
            node.show([A, B], used=[A])
            await node.checks(1)
            node.open_error = None
            await node.beat()
            await node.beat()
            stored = store.load().entries
            found = [(each.number, each.after or each.gap or each.kind) for each in stored]
            assert found == [
                (1, Status.AVAILABLE),
                (2, GapCause.STOPPED),
                (3, Status.AVAILABLE),
                (4, EntryKind.GPU_ALLOCATED),
            ]
            assert await node.log.latest(9, kinds=set(EntryKind)) == list(reversed(stored))

    play(scenario)


def test_loss_from_before_the_file_opens_counts_once() -> None:
    """This process has seen the GPU later than the one before; also where it is not confirmed."""
    store = FaultyStore()

    async def scenario() -> None:
        await run_once(store, [A, B, C])
        node = GpuNode(store)
        await node.clock.advance(1000)
        node.open_error = HistoryError("not mounted yet")
        async with node.running():
            node.show([A, B, C, D])
            await node.checks(1)
            node.show([A, C, D])
            await node.checks(2)
            node.show([A])
            await node.checks(1)
            node.open_error = None
            await node.beat()
            await node.checks(2)
            await node.beat()
            events = await node.log.latest(9, kinds=[EntryKind.GPU_LOST])
            seen = [(each.gpu.slot, each.gpu.last_seen) for each in events if each.gpu]
            assert sorted(seen) == [(B, at(1010)), (C, at(1030)), (D, at(1030))]
            assert sorted(node.missing) == [B, C, D]

    play(scenario)


def test_missing_gpu_stays_missing_over_restarts_until_it_returns() -> None:
    """There is one entry for the loss, and one for the return with when it was last seen."""
    store = FaultyStore()

    async def scenario() -> None:
        await run_once(store, [A, B])
        for second in (1000, 2000):
            assert (await run_once(store, [A], second)).missing == [B]
        node = await run_once(store, [A, B], 3000)
        assert node.missing == []
        assert await node.events() == [(EntryKind.GPU_LOST, B), (EntryKind.GPU_FOUND, B)]
        (found, _) = await node.log.latest(9, kinds=[EntryKind.GPU_FOUND, EntryKind.GPU_LOST])
        assert found.gpu
        assert found.gpu.last_seen == at(50)

    play(scenario)


def test_outage_loses_no_gpu() -> None:
    """Neither while a process runs nor where it starts during the outage."""
    store = FaultyStore()

    async def scenario() -> None:
        first = GpuNode(store)
        async with first.running():
            first.show([A, B])
            await first.checks(2)
            first.fail()
            await first.checks(5)
            first.show([A, B])
            await first.checks(2)
            first.fail()
            await first.checks(1)
        second = GpuNode(store)
        await second.clock.advance(1000)
        async with second.running():
            second.fail()
            await second.checks(3)
            second.show([A, B])
            await second.checks(3)
            assert await second.events() == []
            assert second.missing == []

    play(scenario)


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
        again = await run_once(node.store, [A, B], second + 60)
        assert (await again.use())[0] == in_use

    play(scenario)
