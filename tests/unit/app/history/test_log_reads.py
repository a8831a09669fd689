"""Reads from memory: before, while and without the store being usable."""

import asyncio
import threading
from datetime import timedelta

from dstack_backend.domain import Status
from dstack_backend.domain.history import GapCause, HistoryError, Incident, Uptime
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.harness import FaultyStore, HistoryHarness, eventually, play
from tests.unit.history_entries import at, up

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE
FULL = HistoryError("database or disk is full")
READ = 1.0
"""Seconds that a read may take on a busy machine."""


def test_entries_are_readable_before_they_are_saved() -> None:
    """With the numbers that they will have; a full disk hides nothing."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            harness.change(up=True)
            await eventually(lambda: harness.stored == [UP])
            harness.store.error = FULL
            await harness.clock.advance(5)
            harness.change(up=False)
            found = await harness.log.latest(10)
            assert [(entry.number, entry.after) for entry in found] == [(2, DOWN), (1, UP)]
            assert await harness.log.latest(1) == found[:1]
            assert await harness.log.latest(5, before=2) == found[1:]
            assert await harness.log.latest(5, since=at(1)) == found[:1]
            assert await harness.log.latest(5, until=at(1)) == found[1:]
            await harness.clock.advance(5)
            assert await harness.log.timeline(10, 2) == [Uptime(5, 0, 0), Uptime(0, 5, 0)]
            uptime = await harness.log.uptime()
            assert uptime["24h"] == Uptime(5, 5, 86_390)
            assert await harness.log.start() == at(0)
            assert await harness.log.incidents(10) == [Incident(found[0])]

    play(scenario)


def test_before_the_store_is_open_entries_since_the_start_are_readable() -> None:
    """Nothing else is known yet, and nothing fails."""
    harness = HistoryHarness()

    async def scenario() -> None:
        assert await harness.log.latest(10) == []
        harness.change(up=True)
        await harness.clock.advance(4)
        assert await harness.seen() == [UP]
        assert await harness.log.timeline(8, 2) == [Uptime(0, 0, 4), Uptime(4, 0, 0)]

    play(scenario)


def test_restart_on_a_full_disk_is_a_gap() -> None:
    """Numbers stay the same once there is room."""
    store = FaultyStore()
    first, second = HistoryHarness(store), HistoryHarness(store)

    async def before() -> None:
        async with first.running():
            first.change(up=True)

    async def after() -> None:
        store.error = FULL
        appends = store.appends
        await second.clock.advance(100)
        async with second.running():
            await eventually(lambda: store.appends > appends)
            second.change(up=False)
            await second.clock.advance(10)
            assert await second.log.timeline(110, 1) == [Uptime(0, 10, 100)]
            seen = [(entry.number, entry.after) for entry in await second.log.latest(10)]
            assert seen == [(3, DOWN), (2, None), (1, UP)]
            store.error = None
            await second.beat()
            await eventually(lambda: second.stored == [UP, GapCause.STOPPED, DOWN])
            again = [(entry.number, entry.after) for entry in await second.log.latest(10)]
            assert again == seen

    play(before)
    play(after)


def test_reads_do_not_wait_for_a_store_that_hangs() -> None:
    """Not while it opens, loads or saves; changes of that time are readable and saved once."""
    harness = HistoryHarness(FaultyStore([up(-50, 1)], at(-10)))
    harness.can_open.clear()
    harness.store.running.clear()

    async def read() -> None:
        async with asyncio.timeout(READ):
            await harness.log.latest(10)
            await harness.log.timeline(60, 6)
            await harness.log.uptime()

    async def scenario() -> None:
        async with harness.running():  # opening hangs
            harness.change(up=True)
            await read()
            assert await harness.seen() == [UP]
            harness.can_open.set()  # loading hangs
            await read()
            harness.store.running.set()
            await eventually(lambda: harness.stored == [UP, GapCause.STOPPED, UP])
            harness.store.running.clear()
            appends = harness.store.appends
            harness.change(up=False)
            await eventually(lambda: harness.store.appends > appends)  # saving hangs
            harness.change(up=True)
            await read()
            assert await harness.seen() == [UP, GapCause.STOPPED, UP, DOWN, UP]
            harness.store.running.set()
            await eventually(lambda: harness.stored == [UP, GapCause.STOPPED, UP, DOWN, UP])

    play(scenario)


def test_reads_do_not_wait_for_threads_of_the_event_loop() -> None:
    """Name look-ups that hang occupy all of them."""
    harness = HistoryHarness()
    release = threading.Event()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        hanging = [loop.run_in_executor(None, release.wait) for _ in range(64)]
        try:
            async with asyncio.timeout(READ):
                assert len(await harness.log.timeline(60, 3)) == 3
                assert len(await harness.log.uptime()) == 4
        finally:
            release.set()
            await asyncio.gather(*hanging)

    play(scenario)


def test_reads_of_a_long_history_do_not_block_the_event_loop() -> None:
    """With 50,000 entries, other tasks go on during the computation of the uptime."""
    entries = [up(-seconds * 150, 50_001 - seconds) for seconds in range(50_000, 0, -1)]
    harness = HistoryHarness(FaultyStore(entries, at(0)))

    async def scenario() -> None:
        async with harness.running():
            await eventually(lambda: harness.store.appends)
            computing = asyncio.gather(harness.log.uptime(), harness.log.timeline(7e6, 90))
            turns = 0
            while not computing.done():
                await asyncio.sleep(0)
                turns += 1
            assert turns > 10
            uptime, _ = await computing
            assert uptime["30d"].up_seconds == timedelta(days=30).total_seconds()
            assert await harness.log.latest(10, until=EPOCH - timedelta(days=1000)) == []

    play(scenario)
