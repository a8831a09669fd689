"""What the log records of the GPUs, in memory and in the store."""

from datetime import timedelta

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.history.retention import MAX_ENTRIES
from dstack_backend.domain import Status
from dstack_backend.domain.history import EntryGroup, EntryKind, GpuEntry, HistoryError
from tests.unit.app.history.gpu_harness import GpuNode
from tests.unit.app.history.harness import FaultyStore, play
from tests.unit.history_entries import at

A, B, C = "19:00.0", "3b:00.0", "4c:00.0"
FULL = HistoryError("disk full")


def test_changes_of_gpus_become_entries() -> None:
    """In the order in which they happened; readers see them before they are saved."""

    async def scenario() -> None:
        node = GpuNode()
        node.show([A, B])
        await node.checks(1)
        node.show([A, B], used=[A])
        await node.checks(1)
        node.show([A], used=[A])
        await node.checks(2)
        node.show([A, B])
        await node.checks(1)
        node.show([A, B], product_id="10de:2331")
        await node.checks(1)
        expected = [
            (EntryKind.GPU_ALLOCATED, A),
            (EntryKind.GPU_LOST, B),
            (EntryKind.GPU_RELEASED, A),
            (EntryKind.GPU_FOUND, B),
            (EntryKind.GPU_REPLACED, A),
            (EntryKind.GPU_REPLACED, B),
        ]
        assert await node.events() == expected
        (lost,) = await node.log.latest(1, kinds=[EntryKind.GPU_LOST])
        assert lost.at == at(40)
        assert lost.gpu == GpuEntry(B, "10de:2335", "H200 SXM 141GB", at(20))
        assert (
            lost.message == "GPU lost: H200 SXM 141GB in 3b:00.0, last seen 2026-01-01 00:00:20 UTC"
        )
        async with node.running():
            await node.beat()
        stored = node.store.load().entries
        assert [(each.kind, each.gpu.slot) for each in stored if each.gpu] == expected

    play(scenario)


def test_allocations_of_a_busy_node_hide_and_delete_nothing_else() -> None:
    """Each group of entries has a bound of its own, in memory and in the store."""
    slots = [f"{number:02x}:00.0" for number in range(64)]
    limit = MAX_ENTRIES[EntryGroup.USE]

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.show([*slots, "lost"])
            await node.checks(1)
            node.show(slots)
            await node.checks(2)
            for number in range(2 * limit // 64):
                node.show(slots, used=slots if number % 2 == 0 else ())
                await node.checks(1)
            await node.beat()
            visible = await node.log.latest(100)
            assert [each.kind for each in visible] == [EntryKind.GPU_LOST, EntryKind.STATUS]
            assert len(await node.events()) == limit + 1
            stored = node.store.load().entries
            assert [each.kind for each in stored[:2]] == [EntryKind.STATUS, EntryKind.GPU_LOST]
            assert len(stored) == limit + 2

    play(scenario)


def test_hostile_churn_of_slots_deletes_no_change_of_the_status() -> None:
    """A thousand slots that come and go: memory and store stay bounded."""
    limit = MAX_ENTRIES[EntryGroup.GPU]

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            for number in range(12):
                node.show([f"{number % 2}-{slot}" for slot in range(500)])
                await node.checks(2)
            await node.beat()
            await node.beat()
            found = await node.log.latest(100_000, kinds=set(EntryKind))
            assert found[-1].after is Status.AVAILABLE
            assert len(found) == limit + 1
            stored = node.store.load()
            assert len(stored.entries) == limit + 1
            assert stored.gpus
            assert len(stored.gpus.present) <= 1024
            assert len(stored.gpus.missing) <= 1024
            assert len(stored.use[0].slots) == 64

    play(scenario)


def test_state_is_saved_only_where_it_has_changed() -> None:
    """Neither a heartbeat nor another order of the GPUs is a change."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            for order in ([A, B], [B, A], [A, B]):
                node.show(order)
                await node.checks(2)
                await node.beat()
            states = [each.state for each in node.store.updates if each.state]
            assert len(states) == 1
            node.show([A, B], used=[B])
            await node.checks(1)
            await node.beat()
            assert len([each for each in node.store.updates if each.state]) == 2

    play(scenario)


def test_what_cannot_be_saved_is_saved_later() -> None:
    """State, entries and time in use: each exactly once."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.show([A, B], used=[A])
            await node.checks(2)
            await node.beat()
            node.store.error = FULL
            node.show([A], used=[A])
            await node.checks(3)
            await node.beat()
            await node.beat()
            assert not node.store.load().entries[-1].gpu
            node.store.error = None
            await node.beat()
            stored = node.store.load()
            assert stored.gpus
            assert [each.gpu.slot for each in stored.gpus.missing] == [B]
            assert [each.kind for each in stored.entries if each.gpu] == [EntryKind.GPU_LOST]
            assert stored.use[0].slots[A] == (50.0, 0.0)

    play(scenario)


def test_store_without_gpus_gets_none() -> None:
    """A node with another inventory."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.fail()
            await node.checks(2)
            await node.beat()
        stored = node.store.load()
        assert (stored.gpus, list(stored.use)) == (None, [])

    play(scenario)


def test_entries_after_the_last_one_expired_are_saved() -> None:
    """The use of a GPU was written last, and is older than what is kept: numbers go on after it."""

    async def scenario() -> None:
        node = GpuNode(keep=timedelta(days=1))
        async with node.running():
            node.show([A])
            await node.checks(1)
            node.show([A], used=[A])
            await node.checks(1)
            for _ in range(30):
                await node.beat(3600)
            assert await node.events() == []
            node.change(up=False)
            await node.beat()
            assert node.store.load().entries[-1].after is Status.UNAVAILABLE

    play(scenario)


def test_heartbeat_looks_for_nothing_to_delete() -> None:
    """With a long history that takes a store 10 ms each time."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.show([A])
            await node.checks(1)
            for _ in range(3):
                await node.beat()
            assert node.store.limits[-1] == {}

    play(scenario)


def test_forgotten_gpu_is_forgotten_in_memory_and_in_the_store() -> None:
    """The request is deleted with the state that reflects it, not before that is saved."""

    async def scenario() -> None:
        node = GpuNode()
        async with node.running():
            node.show([A, B, C])
            await node.checks(1)
            node.show([A])
            await node.checks(2)
            await node.beat()
            assert node.missing == [B, C]
            node.store.request_forget(B)
            node.store.error = FULL
            await node.beat()
            assert node.missing == [C]
            assert node.store.forget_requests() == (B,)
            node.store.error = None
            await node.beat()
            stored = node.store.load()
            assert stored.forget_requests == ()
            assert stored.gpus
            assert [each.gpu.slot for each in stored.gpus.missing] == [C]
            assert [kind for kind, _ in await node.events()] == [EntryKind.GPU_LOST] * 2

    play(scenario)


def test_request_of_the_time_without_a_process_is_done_at_the_start() -> None:
    """Before the first check."""
    store = FaultyStore()

    async def scenario() -> None:
        first = GpuNode(store)
        async with first.running():
            first.show([A, B])
            await first.checks(1)
            first.show([A])
            await first.checks(2)
        store.request_forget(B)
        second = GpuNode(store)
        await second.clock.advance(100)
        async with second.running():
            await second.beat()
            assert second.missing == []
        assert MemoryHistory.load(store).forget_requests == ()

    play(scenario)
