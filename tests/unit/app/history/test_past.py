"""The past as it is read while it is written."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryError, Uptime
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.harness import HistoryHarness, Store, until

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE
FULL = HistoryError("database or disk is full")


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene."""
    asyncio.run(scene())


def test_what_is_not_written_yet_is_read_all_the_same() -> None:
    """With the numbers that it will have; a full disk does not hide what happened."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.store.trouble = FULL
            await desk.clock.advance(5)
            desk.turn(up=False)
            found = await desk.past.latest(10)
            assert [(entry.number, entry.after) for entry in found] == [(2, DOWN), (1, UP)]
            assert await desk.past.latest(1) == found[:1]
            assert await desk.past.latest(5, before=2) == found[1:]
            assert await desk.past.latest(5, since=EPOCH + timedelta(seconds=1)) == found[:1]
            assert await desk.past.latest(5, until=EPOCH + timedelta(seconds=1)) == found[1:]
            await desk.clock.advance(5)
            assert await desk.past.timeline(10, 2) == [Uptime(5, 0, 0), Uptime(0, 5, 0)]

    play(scene)


def test_what_is_written_while_it_waits_is_read_once() -> None:
    """An entry that is in the store already may still be in the queue."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            waiting = desk.unwritten.all()
            await until(lambda: desk.words() == [UP])
            desk.unwritten.add(*waiting)
            assert [entry.number for entry in await desk.past.latest(10)] == [1]

    play(scene)


def test_before_the_store_is_open_there_is_what_happened_since_the_start() -> None:
    """Nothing else is known yet, and nothing fails."""
    desk = HistoryHarness()

    async def scene() -> None:
        assert await desk.past.latest(10) == []
        desk.turn(up=True)
        await desk.clock.advance(4)
        assert [entry.after for entry in await desk.past.latest(10)] == [UP]
        assert await desk.past.timeline(8, 2) == [Uptime(0, 0, 4), Uptime(4, 0, 0)]

    play(scene)


def test_a_gap_that_cannot_be_written_is_unknown_all_the_same() -> None:
    """A start on a full disk does not make the time before it look as if somebody had looked.

    Nor do numbers change once there is room.
    """
    store = Store()
    first, second = HistoryHarness(store), HistoryHarness(store)

    async def before() -> None:
        async with first.running():
            first.turn(up=True)

    async def after() -> None:
        store.trouble = FULL
        await second.clock.advance(100)
        async with second.running():
            await until(lambda: store.writes > 2)
            second.turn(up=False)
            await second.clock.advance(10)
            assert await second.past.timeline(110, 1) == [Uptime(0, 10, 100)]
            told = [(each.number, each.after) for each in await second.past.latest(10)]
            assert told == [(3, DOWN), (2, None), (1, UP)]
            store.trouble = None
            await second.beat()
            await until(lambda: second.words() == [UP, None, DOWN])
            told_now = [(each.number, each.after) for each in await second.past.latest(10)]
            assert told_now == told

    play(before)
    play(after)


def test_a_disk_that_hangs_is_not_waited_for() -> None:
    """Whoever asks is told so soon; when it goes on, all is as before."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.store.free.clear()
            for _ in range(3):
                with pytest.raises(HistoryError, match="does not answer"):
                    await desk.past.latest(1)
            desk.store.free.set()
            assert len(await desk.past.latest(1)) == 1

    play(scene)


def test_of_very_many_that_ask_a_disk_that_hangs_most_are_refused_at_once() -> None:
    """What waits for it is bounded."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.store.free.clear()
            asked = [asyncio.create_task(desk.past.latest(1)) for _ in range(64)]
            await asyncio.sleep(0)
            with pytest.raises(HistoryError, match="does not answer"):
                await asyncio.wait_for(desk.past.latest(1), 0.01)
            await asyncio.gather(*asked, return_exceptions=True)
            desk.store.free.set()

    play(scene)
