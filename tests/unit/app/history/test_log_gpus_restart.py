"""What the log remembers of the GPUs over restarts, and before its file opens."""

from collections.abc import Sequence

import pytest

from dstack_backend.domain import Status
from dstack_backend.domain.history import EntryKind, GapCause, HistoryError
from dstack_backend.domain.monitor import CheckPolicy
from tests.unit.app.history.gpu_harness import GpuNode
from tests.unit.app.history.harness import FaultyStore, eventually, play
from tests.unit.history_entries import at

A, B, C, D = "19:00.0", "3b:00.0", "4c:00.0", "5d:00.0"


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


def test_gpu_of_a_node_with_too_few_was_seen_to_the_end() -> None:
    """It was listed, though the node was unavailable."""
    store = FaultyStore()

    async def scenario() -> None:
        first = GpuNode(store, policy=CheckPolicy(min_gpus=3))
        async with first.running():
            first.show([A, B])
            await first.checks(5)
            await first.beat()
        assert first.stored == [Status.UNAVAILABLE]
        await run_once(store, [A], 1000)
        (lost,) = [each for each in store.load().entries if each.gpu]
        assert lost.gpu
        assert lost.gpu.last_seen == at(60)

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
