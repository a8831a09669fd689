"""The fakes of the ports `HistoryReader` and `UpdateNotifier`."""

import asyncio

from msgspec.structs import replace

from dstack_backend.domain import GpuInventory, Status, assess
from dstack_backend.domain.check import Check
from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime
from dstack_backend.domain.status import Change
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fakes import EPOCH, FakeHistory, FakeNotifier

ENTRY = HistoryEntry(
    at=EPOCH, before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs, 5 free"
)
NOW = Timestamp(0.0, EPOCH)


def test_fake_history_returns_its_entries() -> None:
    """Numbered, the last one first, and as uptime up to its own present time."""
    later = EPOCH.replace(hour=1)
    history = FakeHistory([ENTRY], now=later)
    history.add(replace(ENTRY, at=later, after=None, gap=GapCause.STOPPED))

    async def read() -> None:
        assert [entry.number for entry in await history.latest(10)] == [2, 1]
        assert [entry.number for entry in await history.latest(10, before=2)] == [1]
        assert [entry.number for entry in await history.latest(10, since=later)] == [2]
        assert [entry.number for entry in await history.latest(10, until=later)] == [1]
        assert await history.timeline(7200, 2) == [Uptime(0, 0, 3600), Uptime(3600, 0, 0)]
        assert (await history.uptime())["24h"] == Uptime(3600, 0, 23 * 3600)

    asyncio.run(read())
    assert history.calls == 6


def test_fake_notifier_wakes_waiting_calls() -> None:
    """For each update, at once for an earlier one, and with `None` at the end."""

    async def wait() -> None:
        notifier = FakeNotifier()
        waiting = asyncio.create_task(notifier.wait_newer(0))
        await asyncio.sleep(0)
        assert notifier.listeners == 1
        notifier.publish()
        assert await waiting == 1
        assert await notifier.wait_newer(0) == 1
        last = asyncio.create_task(notifier.wait_newer(1))
        await asyncio.sleep(0)
        notifier.close()
        assert await last is None
        assert notifier.listeners == 0

    asyncio.run(wait())


def test_fake_notifier_observes_checks_and_changes() -> None:
    """Each of them is an update."""
    notifier = FakeNotifier()
    status = assess(GpuInventory())
    notifier.on_check(Check(result=GpuInventory(), started=0.0, finished=NOW))
    notifier.on_change(Change(NOW, status, status))
    assert notifier.version == 2
