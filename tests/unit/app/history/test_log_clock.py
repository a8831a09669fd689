"""The log while the machine is suspended and while the wall clock is wrong."""

from datetime import timedelta

from dstack_backend.domain import Status
from dstack_backend.domain.history import GapCause, Uptime
from tests.unit.app.history.harness import HistoryHarness, eventually, play
from tests.unit.history_entries import at

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE
SUSPENDED, SET_BACK = GapCause.SUSPENDED, GapCause.CLOCK_SET_BACK


def test_suspension_of_the_machine_is_a_gap() -> None:
    """The wall clock advanced and the monotonic one did not; the status holds after it."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await harness.save_change(up=True)
            harness.clock.suspend(3600)
            await harness.beat()
            await eventually(lambda: harness.stored == [UP, SUSPENDED, UP])
        _, suspended, resumed = harness.store.load().entries
        assert resumed.at - suspended.at == timedelta(seconds=3610)
        assert resumed.before is None

    play(scenario)


def test_suspension_comes_before_a_change_right_after_it() -> None:
    """The change does not make the hour before it a known one."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await harness.save_change(up=True)
            harness.clock.suspend(3600)
            await harness.clock.advance(2)
            harness.change(up=False)
            await eventually(lambda: harness.stored == [UP, SUSPENDED, UP, DOWN])
            await harness.clock.advance(5)
            (total,) = await harness.log.timeline(3607, 1)
            assert (total.up_seconds, total.down_seconds) == (0, 5)

    play(scenario)


def test_suspension_starts_at_the_last_check_while_the_store_hangs() -> None:
    """There is no heartbeat then; a finished check shows as well that the process runs."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await harness.save_change(up=True)
            harness.store.running.clear()
            await harness.clock.advance(10)
            for _ in range(6):
                await harness.clock.advance(10)
                harness.check()
            harness.clock.suspend(3600)
            harness.check()
            gap = (await harness.log.latest(2))[1]
            assert (gap.gap, gap.at) == (SUSPENDED, at(70))
            harness.store.running.set()

    play(scenario)


def test_clock_a_month_ahead_hides_nothing_afterwards() -> None:
    """The status is repeated by the right time, and later entries count from their own."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await harness.save_change(up=True)
            harness.clock.suspend(30 * 86_400)
            await harness.beat()
            harness.clock.suspend(-30 * 86_400)
            await harness.beat()
            await eventually(lambda: harness.stored == [UP, SUSPENDED, UP, SET_BACK, UP])
            assert harness.store.load().entries[-1].at == harness.clock.utc()
            harness.change(up=False)
            await harness.clock.advance(100)
            assert await harness.log.timeline(100, 1) == [Uptime(0, 100, 0)]

    play(scenario)


def test_small_correction_of_the_clock_is_no_gap() -> None:
    """Half a minute, forward or back."""
    harness = HistoryHarness()

    async def scenario() -> None:
        async with harness.running():
            await harness.save_change(up=True)
            for seconds in (30, -30):
                harness.clock.suspend(seconds)
                await harness.beat()
            assert harness.stored == [UP]

    play(scenario)
