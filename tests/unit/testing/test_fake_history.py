"""The fake of the port `HistoryReader`."""

import asyncio

from msgspec.structs import replace

from dstack_backend.domain import Status
from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime
from dstack_backend.testing.fakes import EPOCH, FakeHistory

ENTRY = HistoryEntry(
    at=EPOCH, before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs, 5 free"
)


def test_fake_history_returns_its_entries() -> None:
    """Numbered, the last one first, and as uptime up to its own present time."""
    later = EPOCH.replace(hour=1)
    stop = replace(ENTRY, at=later, after=None, gap=GapCause.STOPPED)
    history = FakeHistory([ENTRY, stop], now=later)

    async def read() -> None:
        assert [entry.number for entry in await history.latest(10)] == [2, 1]
        assert [entry.number for entry in await history.latest(10, before=2)] == [1]
        assert [entry.number for entry in await history.latest(10, since=later)] == [2]
        assert [entry.number for entry in await history.latest(10, until=later)] == [1]
        assert await history.timeline(7200, 2) == [Uptime(0, 0, 3600), Uptime(3600, 0, 0)]
        assert (await history.uptime())["24h"] == Uptime(3600, 0, 23 * 3600)
        assert await history.start() == EPOCH
        assert [each.entry.number for each in await history.incidents(10)] == [2]

    asyncio.run(read())
    assert history.calls == 8
