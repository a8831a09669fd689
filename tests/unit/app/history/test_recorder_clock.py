"""What is recorded while the wall clock and the machine go their own ways."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from dstack_backend.domain import Status
from dstack_backend.domain.history import Uptime
from tests.unit.app.history.harness import HistoryHarness, until

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene."""
    asyncio.run(scene())


def test_a_machine_that_slept_looked_at_nothing() -> None:
    """The wall clock went on and the monotonic one did not; what held holds on."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.clock.suspend(3600)
            await desk.beat()
            await until(lambda: desk.words() == [UP, None, UP])
        woken, asleep, _ = desk.store.latest(3)
        assert woken.at - asleep.at == timedelta(seconds=3610)
        assert woken.before is None

    play(scene)


def test_a_time_asleep_comes_before_a_change_right_after_it() -> None:
    """The change does not make the hour before it one in which we looked."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.clock.suspend(3600)
            await desk.clock.advance(2)
            desk.turn(up=False)
            await until(lambda: desk.words() == [UP, None, UP, DOWN])
            await desk.clock.advance(5)
            (told,) = await desk.past.timeline(3607, 1)
            assert (told.up_seconds, told.down_seconds) == (0, 5)

    play(scene)


def test_a_clock_that_was_a_month_ahead_hides_nothing_afterwards() -> None:
    """What holds is said again by the right time, and what comes counts from its own."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            await until(lambda: desk.words() == [UP])
            desk.clock.suspend(30 * 86_400)
            await desk.beat()
            desk.clock.suspend(-30 * 86_400)
            await desk.beat()
            await until(lambda: desk.words() == [UP, None, UP, None, UP])
            assert desk.store.latest(1)[0].at == desk.clock.utc()
            desk.turn(up=False)
            await desk.clock.advance(100)
            assert await desk.past.timeline(100, 1) == [Uptime(0, 100, 0)]

    play(scene)


def test_a_clock_that_is_corrected_a_little_is_no_news() -> None:
    """Half a minute, forward or back."""
    desk = HistoryHarness()

    async def scene() -> None:
        async with desk.running():
            desk.turn(up=True)
            for seconds in (30, -30):
                desk.clock.suspend(seconds)
                await desk.beat()
            assert desk.words() == [UP]

    play(scene)
