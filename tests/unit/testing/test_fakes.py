"""The fakes implement their ports and follow their script."""

import asyncio

import pytest

from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.domain import (
    CheckFailure,
    ConnectivityWatcher,
    GpuInventory,
    GpuSource,
    Observer,
    Reason,
    Status,
)
from dstack_backend.domain.ports import Health, HistoryReader, HistoryStore, UpdateNotifier
from dstack_backend.testing.fakes import (
    EPOCH,
    FakeClock,
    FakeGpuSource,
    FakeHealth,
    FakeHistory,
    FakeHistoryStore,
    FakeNotifier,
    FakeWatcher,
    RecordingObserver,
)


def test_each_fake_implements_its_port() -> None:
    """The type checkers compare the signatures."""
    clock: Clock = FakeClock()
    source: GpuSource = FakeGpuSource()
    watcher: ConnectivityWatcher = FakeWatcher()
    observer: Observer = RecordingObserver()
    health: Health = FakeHealth()
    store: HistoryStore = FakeHistoryStore()
    reader: HistoryReader = FakeHistory([], EPOCH)
    notifier: UpdateNotifier = FakeNotifier()
    assert all((clock, source, watcher, observer, health, store, reader, notifier))


def test_clock_wakes_each_sleeper_at_its_time() -> None:
    """A cancelled sleeper is skipped, and the wall clock runs with the monotonic one."""

    async def sleep() -> None:
        clock, woken = FakeClock(), list[tuple[str, float]]()
        start = clock.monotonic()

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((name, clock.monotonic() - start))

        tasks = [
            asyncio.create_task(sleeper(name, seconds))
            for name, seconds in (("late", 3), ("none", 0), ("early", 1), ("cancelled", 2))
        ]
        await clock.advance(0)
        tasks[-1].cancel()
        await clock.advance(5)
        assert woken == [("none", 0), ("early", 1), ("late", 3)]
        assert clock.monotonic() - start == (clock.utc() - EPOCH).total_seconds() == 5

    asyncio.run(sleep())


def test_source_returns_its_script_and_counts_calls() -> None:
    """The last result is repeated; a function is called each time and may raise."""

    async def call() -> None:
        failure = CheckFailure(Reason.TIMED_OUT)
        source = FakeGpuSource([GpuInventory(), failure])
        results = [await source.list_gpus() for _ in range(3)]
        assert results == [GpuInventory(), failure, failure]
        assert (source.calls, source.under_way) == (3, 0)

        def fail() -> GpuInventory:
            raise OSError("broken")

        with pytest.raises(OSError, match="broken"):
            await FakeGpuSource(fail).list_gpus()

    asyncio.run(call())


def test_source_hangs_until_it_is_released_or_cancelled() -> None:
    """Calls that run at the same time are counted."""

    async def hang() -> None:
        source = FakeGpuSource()
        source.hang()
        first, second = (asyncio.create_task(source.list_gpus()) for _ in range(2))
        await asyncio.sleep(0)
        assert (source.under_way, source.most_at_once) == (2, 2)
        first.cancel()
        source.release()
        assert await second == GpuInventory()
        assert (source.cancelled, source.under_way) == (1, 0)

    asyncio.run(hang())


def test_watcher_returns_once_for_each_hint() -> None:
    """A hint without a listener is kept for the next call."""

    async def watch() -> None:
        watcher = FakeWatcher()
        watcher.hint()
        await watcher.wait_for_change()
        waiting = asyncio.create_task(watcher.wait_for_change())
        await asyncio.sleep(0)
        assert (watcher.listeners, waiting.done()) == (1, False)
        watcher.hint()
        await waiting
        assert watcher.listeners == 0

    asyncio.run(watch())


def test_health_has_the_state_after_one_check() -> None:
    """Response, report and readiness agree."""
    health = FakeHealth()
    assert not health.is_ready()
    assert health.report().reason is Reason.STARTING
    health.know(GpuInventory())
    assert health.is_ready()
    assert health.response().is_available
    assert health.report().status is Status.AVAILABLE
