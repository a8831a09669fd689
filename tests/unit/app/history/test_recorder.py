"""What is recorded, when, and that a store in trouble hinders nobody and loses nothing."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from dstack_backend.app.history.unwritten import MOST_PENDING, Unwritten
from msgspec.structs import replace

from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryError, Uptime, overflow_gap, spans, uptime
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.harness import HistoryHarness, Store, until

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE
FULL = HistoryError("database or disk is full")


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene."""
    asyncio.run(scene())


def test_each_change_is_written_when_it_happens() -> None:
    """In order, without waiting for the next sign of life."""
    desk = HistoryHarness()

    def has(count: int) -> bool:
        return len(desk.words()) == count

    async def scene() -> None:
        async with desk.running():
            for count, up in enumerate((True, False, True), start=1):
                desk.turn(up=up)
                await until(partial(has, count))
        assert desk.words() == [UP, DOWN, UP]

    play(scene)


def test_a_sign_of_life_is_written_every_ten_seconds_and_at_the_end() -> None:
    """After a `kill -9` the gap begins that exactly; after a clean stop, at the stop."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            await until(lambda: desk.store.alive_at() == EPOCH)
            await desk.beat()
            await until(lambda: desk.store.alive_at() == EPOCH + timedelta(seconds=10))
            await desk.clock.advance(4)
        assert desk.store.alive_at() == EPOCH + timedelta(seconds=14)
        assert desk.store.closed

    play(scene)


def test_a_new_start_writes_the_time_in_which_nobody_looked() -> None:
    """From the last sign of life of the one before."""
    store = Store()

    async def live(desk: HistoryHarness) -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: UP in desk.words()[-1:])

    play(lambda: live(HistoryHarness(store)))
    play(lambda: live(HistoryHarness(store)))
    assert HistoryHarness(store).words() == [UP, None, UP]
    gap = store.latest(3)[1]
    assert (gap.before, gap.at) == (UP, EPOCH)


def test_what_cannot_be_written_is_kept_and_written_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full disk is said once, and its end once; the order stays."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.store.trouble = FULL
            for up in (True, False, True):
                desk.turn(up=up)
                await desk.beat()
            assert desk.words() == []
            desk.store.trouble = None
            await desk.beat()
            await until(lambda: desk.words() == [UP, DOWN, UP])

    with caplog.at_level(logging.INFO):
        play(scene)
    assert [record.getMessage() for record in caplog.records] == [
        "the history cannot be written: database or disk is full. Meanwhile it is kept in memory",
        "the history is written again",
    ]


def test_a_store_that_cannot_be_opened_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """What happened meanwhile comes after the gap that the start owes."""
    store = Store()
    desk = HistoryHarness(store)

    async def scene() -> None:
        desk.cannot_open = HistoryError("permission denied")
        async with desk.running():
            desk.turn(up=True)
            await desk.beat()
            await desk.beat()
            assert desk.words() == [DOWN]
            desk.cannot_open = None
            await desk.beat()
            await until(lambda: desk.words() == [DOWN, None, UP])

    old = HistoryHarness(store)

    async def before() -> None:
        async with old.running():
            old.turn(up=False)

    play(before)
    play(scene)
    assert caplog.text.count("permission denied") == 1


def test_a_store_that_was_begun_anew_gets_what_holds() -> None:
    """A corrupt file is set aside; that the node is up is still known, and since when."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.store.prune(EPOCH, 0)
            await desk.beat()
            await until(lambda: desk.words() == [UP])
        assert desk.store.latest(1)[0].at == EPOCH

    play(scene)


def test_a_store_that_hangs_holds_up_nobody() -> None:
    """Changes are taken while it hangs, and each is written once when it goes on."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            await until(lambda: desk.store.writes == 1)
            desk.store.free.clear()
            desk.turn(up=True)
            await until(lambda: desk.store.writes == 2)
            desk.turn(up=False)
            await desk.clock.advance(10)
            desk.store.free.set()
            await until(lambda: desk.words() == [UP, DOWN])
        assert desk.words() == [UP, DOWN]

    play(scene)


def test_the_end_during_a_write_writes_nothing_twice() -> None:
    """The write under way is let go on; the last one adds what is left."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            await until(lambda: desk.store.writes == 1)
            desk.store.free.clear()
            desk.turn(up=True)
            await until(lambda: desk.store.writes == 2)
            asyncio.get_running_loop().call_later(0.02, desk.store.free.set)
        assert desk.words() == [UP]
        assert desk.store.closed

    play(scene)


def test_an_end_that_hangs_can_be_given_up() -> None:
    """Whoever stops us cancels a second time, and does not wait for the disk."""
    desk = HistoryHarness()

    async def scene() -> None:
        task = asyncio.create_task(desk.recorder.run())
        await until(lambda: desk.store.writes == 1)
        desk.store.free.clear()
        for _ in range(2):
            task.cancel()
            await desk.clock.advance(0)
        assert task.cancelled()
        desk.store.free.set()

    play(scene)


def test_an_error_that_nobody_expected_is_said_and_does_not_end_the_recording(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its text, which may hold anything, is left out."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.store.trouble = KeyError("secret")
            desk.turn(up=True)
            await desk.beat()
            desk.store.trouble = None
            await desk.beat()
            await until(lambda: desk.words() == [UP])

    play(scene)
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def _entry(desk: HistoryHarness) -> Any:
    desk.turn(up=True)
    (entry,) = desk.unwritten.all()
    desk.unwritten.forget([entry])
    return entry


def test_of_very_many_that_wait_the_oldest_are_lost() -> None:
    """A disk that stays full for weeks does not fill the memory as well, and the past says so."""
    desk = HistoryHarness()
    entry = _entry(desk)
    unwritten = Unwritten()
    entries = [replace(entry, message=str(n)) for n in range(MOST_PENDING + 5)]
    unwritten.add(*entries)
    lost = overflow_gap(entries[0])
    assert unwritten.all() == [lost, *entries[5:]]
    unwritten.forget(entries[:10])
    assert unwritten.all() == [lost, *entries[10:]]
    unwritten.forget(unwritten.all()[:2])
    assert unwritten.all() == entries[11:]


def test_where_changes_were_lost_the_time_is_unknown() -> None:
    """What held before them does not hold on."""
    desk = HistoryHarness()
    kept = _entry(desk)
    end = EPOCH + timedelta(seconds=MOST_PENDING)
    desk.unwritten.add(
        *(replace(kept, at=EPOCH + timedelta(seconds=n)) for n in range(1, MOST_PENDING + 6))
    )
    total = uptime(spans([kept, *desk.unwritten.all()], EPOCH, end, end))
    assert total == Uptime(MOST_PENDING - 5, 0, 5)


def test_it_can_run_again() -> None:
    """An application may live twice; the time in between is a gap."""
    desk = HistoryHarness()

    async def live() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words()[-1:] == [UP])
            desk.turn(up=False)

    play(live)
    play(live)
    assert desk.words() == [UP, DOWN, None, UP, DOWN]
