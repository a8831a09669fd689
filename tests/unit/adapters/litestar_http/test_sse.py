"""The stream of events, over news that somebody makes."""

import asyncio
from collections.abc import AsyncGenerator

from dstack_backend.adapters.litestar_http.sse import LONGEST_STREAM, Events
from dstack_backend.domain import CheckFailure, GpuInventory, HealthResponse, Reason, StatusReport
from dstack_backend.testing.fakes import FakeHealth

UP = b'data: {"status":"available","reason":null}\n\n'


class FakeNotifier:
    """Implements the port `News`; `publish` and `close` are up to the test."""

    def __init__(self) -> None:
        self.version = 7
        self._turn = asyncio.Condition()
        self._closed = False

    async def publish(self) -> None:
        """Make an edition."""
        async with self._turn:
            self.version += 1
            self._turn.notify_all()

    async def close(self) -> None:
        """Let all go."""
        async with self._turn:
            self._closed = True
            self._turn.notify_all()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for the next."""
        async with self._turn:
            await self._turn.wait_for(lambda: self.version > version or self._closed)
        return None if self._closed else self.version


class CountingHealth(FakeHealth):
    """Counts the reports that are made."""

    reports = 0

    def report(self) -> StatusReport:
        """Give the report, and count."""
        self.reports += 1
        return super().report()


async def _next(stream: AsyncGenerator[bytes, None]) -> bytes:
    return await asyncio.wait_for(anext(stream), 5)


def test_the_first_event_is_there_at_once_and_then_one_for_each_edition() -> None:
    """With the edition as its id, and what has changed in it."""

    async def listen() -> list[bytes]:
        health, news = FakeHealth(GpuInventory()), FakeNotifier()
        stream = Events(health, news).stream()
        heard = [await _next(stream)]
        health.know(CheckFailure(Reason.TIMED_OUT))
        await news.publish()
        heard.append(await _next(stream))
        return heard

    down = b'data: {"status":"unavailable","reason":"timed_out"}\n\n'
    assert asyncio.run(listen()) == [b"retry: 2000\nid: 7\n" + UP, b"id: 8\n" + down]


def test_a_slow_listener_misses_steps_and_sees_the_last_one() -> None:
    """Nothing queues up for it."""

    async def listen() -> bytes:
        news = FakeNotifier()
        stream = Events(FakeHealth(GpuInventory()), news).stream()
        await _next(stream)
        for _ in range(1000):
            await news.publish()
        return await _next(stream)

    assert asyncio.run(listen()) == b"id: 1007\n" + UP


def test_silence_is_broken_by_a_comment() -> None:
    """A proxy sees that the connection lives; a browser passes it over."""

    async def listen() -> list[bytes]:
        stream = Events(FakeHealth(), FakeNotifier()).stream(keep_alive=0.001)
        return [await _next(stream) for _ in range(3)][1:]

    assert asyncio.run(listen()) == [b": keep-alive\n\n"] * 2


def test_a_stream_ends_with_the_service() -> None:
    """All of them do, whatever they have seen."""

    async def listen() -> list[list[bytes]]:
        news = FakeNotifier()
        events = Events(FakeHealth(), news)
        streams = [events.stream() for _ in range(3)]
        for stream in streams:
            await _next(stream)
        await news.close()
        return [[each async for each in stream] for stream in streams]

    assert asyncio.run(listen()) == [[], [], []]


def test_a_stream_ends_after_a_while_so_that_nobody_is_held_for_ever() -> None:
    """A browser comes back by itself."""
    times = iter([0.0, 1.0, LONGEST_STREAM + 1.0])

    async def listen() -> list[bytes]:
        news = FakeNotifier()
        stream = Events(FakeHealth(GpuInventory()), news, clock=lambda: next(times)).stream()
        await _next(stream)
        await news.publish()
        return [each async for each in stream]

    assert asyncio.run(listen()) == [b"id: 8\n" + UP]


def test_all_listeners_share_one_report() -> None:
    """A report of 20,000 GPUs is made once for an answer, not once for each listener."""

    async def listen() -> int:
        health, news = CountingHealth(GpuInventory()), FakeNotifier()
        events = Events(health, news)
        for _ in range(100):
            await _next(events.stream())
        health.health_answer = HealthResponse(available=True, body=b"the next")
        for _ in range(100):
            await _next(events.stream())
        return health.reports

    assert asyncio.run(listen()) == 2
