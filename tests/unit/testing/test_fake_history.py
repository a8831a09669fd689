"""The fakes of past and news do what the ports say."""

import asyncio

import pytest
from msgspec.structs import replace

from dstack_backend.domain import Status
from dstack_backend.domain.history import HistoryEntry, HistoryError, Uptime
from dstack_backend.testing.fakes import EPOCH, FakeHistory, FakeNotifier

ENTRY = HistoryEntry(
    at=EPOCH, before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs, 5 free"
)


def test_a_fake_past_gives_what_was_written_into_it() -> None:
    """Numbered, the last one first, and as a timeline up to its own moment."""
    later = EPOCH.replace(hour=1)
    past = FakeHistory([ENTRY], now=later)
    past.add(replace(ENTRY, at=later, after=None))

    async def ask() -> None:
        assert [entry.number for entry in await past.latest(10)] == [2, 1]
        assert [entry.number for entry in await past.latest(10, before=2)] == [1]
        assert await past.timeline(7200, 2) == [Uptime(0, 0, 3600), Uptime(3600, 0, 0)]

    asyncio.run(ask())
    assert past.calls == 3


def test_a_fake_past_fails_when_it_is_told_to() -> None:
    """With the error of the port."""
    past = FakeHistory([ENTRY], now=EPOCH)
    past.failing = True
    for call in (lambda: past.latest(1), lambda: past.timeline(60, 1)):
        with pytest.raises(HistoryError):
            asyncio.run(call())


def test_fake_news_wake_whoever_waits() -> None:
    """Each edition, one that came before at once, and `None` at the end."""

    async def listen() -> None:
        news = FakeNotifier()
        waiting = asyncio.create_task(news.wait_newer(0))
        await asyncio.sleep(0)
        assert news.listeners == 1
        news.publish()
        assert await waiting == 1
        assert await news.wait_newer(0) == 1
        last = asyncio.create_task(news.wait_newer(1))
        await asyncio.sleep(0)
        news.close()
        assert await last is None
        assert news.listeners == 0

    asyncio.run(listen())
