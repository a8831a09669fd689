"""What the log saves and when."""

import asyncio
import logging
from functools import partial

import pytest

from dstack_backend.domain import Status
from dstack_backend.domain.history import GapCause, HistoryError
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.harness import FaultyStore, HistoryHarness, eventually, play
from tests.unit.history_entries import at

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE
FULL = HistoryError("database or disk is full")


def test_change_is_saved_at_once() -> None:
    """In order, without waiting for the next heartbeat."""
    harness = HistoryHarness()

    def has(count: int) -> bool:
        return len(harness.stored) == count

    async def scenario() -> None:
        async with harness.running():
            for count, up in enumerate((True, False, True), start=1):
                harness.change(up=up)
                await eventually(partial(has, count))
        assert harness.stored == [UP, DOWN, UP]

    play(scenario)


def test_sign_of_life_is_saved_every_ten_seconds_and_at_the_end() -> None:
    """After a `kill -9` the gap starts that exactly; after a clean stop, at the stop."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await eventually(lambda: harness.store.load().alive_at == EPOCH)
            await harness.beat()
            await eventually(lambda: harness.store.load().alive_at == at(10))
            await harness.clock.advance(4)
        assert harness.store.load().alive_at == at(14)
        assert harness.store.closed

    play(scenario)


def test_heartbeat_saves_no_entry_again() -> None:
    """It writes the sign of life alone, and the store stays as it is."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            harness.change(up=True)
            for _ in range(3):
                await harness.beat()
            assert harness.stored == [UP]

    play(scenario)


def test_restart_adds_a_gap() -> None:
    """From the last sign of life of the run before."""
    store = FaultyStore()

    async def run(harness: HistoryHarness) -> None:
        async with harness.running():
            harness.change(up=True)
            await eventually(lambda: harness.stored[-1:] == [UP])

    play(lambda: run(HistoryHarness(store)))
    play(lambda: run(HistoryHarness(store)))
    assert HistoryHarness(store).stored == [UP, GapCause.STOPPED, UP]
    gap = store.load().entries[1]
    assert (gap.before, gap.at) == (UP, EPOCH)


def test_second_run_of_the_same_log_adds_a_gap() -> None:
    """An application may live twice; nothing is known of the time between."""
    harness = HistoryHarness()

    async def run() -> None:
        async with harness.running():
            harness.change(up=True)
            await eventually(lambda: harness.stored[-1:] == [UP])
            harness.change(up=False)
        await harness.clock.advance(100)

    play(run)
    play(run)
    play(run)
    one = [UP, DOWN, GapCause.STOPPED]
    assert harness.stored == [*one, *one, UP, DOWN]
    times = [entry.at for entry in harness.store.load().entries]
    assert times == [at(second) for second in (0, 0, 0, 100, 100, 100, 200, 200)]


def test_entries_that_cannot_be_saved_are_saved_later(caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is logged once, and its end once; the order stays."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            harness.store.error = FULL
            for up in (True, False, True):
                harness.change(up=up)
                await harness.beat()
            assert harness.stored == []
            harness.store.error = None
            await harness.beat()
            await eventually(lambda: harness.stored == [UP, DOWN, UP])

    with caplog.at_level(logging.INFO):
        play(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        "the history cannot be saved: database or disk is full. It is kept in memory meanwhile",
        "the history is saved again",
    ]


def test_opening_the_store_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Entries of that time follow the gap that the restart adds."""
    store = FaultyStore()
    old, harness = HistoryHarness(store), HistoryHarness(store)

    async def before() -> None:
        async with old.running():
            old.change(up=False)

    async def scenario() -> None:
        harness.open_error = HistoryError("permission denied")
        async with harness.running():
            harness.change(up=True)
            await harness.beat()
            await harness.beat()
            assert harness.stored == [DOWN]
            assert await harness.seen() == [UP]
            harness.open_error = None
            await harness.beat()
            await eventually(lambda: harness.stored == [DOWN, GapCause.STOPPED, UP])

    play(before)
    play(scenario)
    assert caplog.text.count("permission denied") == 1


def test_end_without_a_store_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """It could never be opened; entries are still readable."""
    harness = HistoryHarness()
    harness.open_error = HistoryError("permission denied")

    async def scenario() -> None:
        async with harness.running():
            harness.change(up=True)
        assert not harness.store.closed
        assert await harness.seen() == [UP, GapCause.STOPPED]

    play(scenario)
    assert caplog.text.count("permission denied") == 1


def test_unexpected_error_does_not_end_saving(caplog: pytest.LogCaptureFixture) -> None:
    """Its class is logged; its text, which may hold anything, is not."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            harness.store.error = KeyError("secret")
            harness.change(up=True)
            await harness.beat()
            harness.store.error = None
            await harness.beat()
            await eventually(lambda: harness.stored == [UP])

    play(scenario)
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_end_during_a_save_saves_nothing_twice(caplog: pytest.LogCaptureFixture) -> None:
    """The save in progress is completed; the last one adds what is left."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await eventually(lambda: harness.store.appends == 1)
            harness.store.running.clear()
            harness.change(up=True)
            await eventually(lambda: harness.store.appends == 2)
            asyncio.get_running_loop().call_later(0.02, harness.store.running.set)
        assert harness.stored == [UP]
        assert harness.store.closed

    play(scenario)
    assert caplog.text == ""


def test_end_while_the_store_opens_opens_it_once() -> None:
    """A second attempt would meet the lock of the first one."""
    harness = HistoryHarness()
    harness.can_open.clear()

    async def scenario() -> None:
        async with harness.running():
            await eventually(lambda: harness.opened == 1)
            asyncio.get_running_loop().call_later(0.02, harness.can_open.set)
        assert harness.opened == 1
        assert harness.store.closed

    play(scenario)


def test_second_cancellation_does_not_wait_for_a_store_that_hangs() -> None:
    """The end of the service must not wait for the disk."""
    harness = HistoryHarness()

    async def scenario() -> None:
        task = asyncio.create_task(harness.log.run())
        await eventually(lambda: harness.store.appends == 1)
        harness.store.running.clear()
        harness.change(up=True)
        await eventually(lambda: harness.store.appends == 2)
        for _ in range(2):
            task.cancel()
            await harness.clock.advance(0)
        assert task.cancelled()
        harness.store.running.set()

    play(scenario)
