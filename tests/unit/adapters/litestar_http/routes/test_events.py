"""The stream of events."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from dstack_backend.adapters.litestar_http.routes.events import MAX_DURATION, EventStreams
from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    GpuInventory,
    HealthResponse,
    Reason,
    StatusReport,
)
from dstack_backend.domain.gpu import MissingGpu, StoredGpus
from dstack_backend.testing.fakes import EPOCH, FakeHealth, FakeNotifier
from tests.unit.adapters.inventories import DiskInventory
from tests.unit.adapters.litestar_http.harness import AppClient
from tests.unit.adapters.litestar_http.nodes import ONE_LOST, TWO_GPUS, Node

UP = b'data: {"status":"available","reason":null,"degraded":true,"missing":0}\n\n'


class CountingHealth(FakeHealth):
    """Counts the reports."""

    reports = 0

    def report(self) -> StatusReport:
        """Return the report."""
        self.reports += 1
        return super().report()


async def _next(stream: AsyncGenerator[bytes, None]) -> bytes:
    return await asyncio.wait_for(anext(stream), 5)


def test_the_first_event_is_immediate_and_one_follows_each_update() -> None:
    """The id is the number of the update."""

    async def listen() -> list[bytes]:
        health, notifier = FakeHealth(GpuInventory()), FakeNotifier()
        stream = EventStreams(health, notifier).stream()
        events = [await _next(stream)]
        health.know(CheckFailure(Reason.TIMED_OUT))
        notifier.publish()
        events.append(await _next(stream))
        return events

    down = b'data: {"status":"unavailable","reason":"timed_out"}\n\n'  # no GPUs are known
    assert asyncio.run(listen()) == [b"retry: 2000\nid: 0\n" + UP, b"id: 1\n" + down]


def test_news_of_the_gpus_are_sent_as_they_happen() -> None:
    """Lost, returned, forgotten, and restored from an earlier process, without a check between."""

    async def listen() -> list[tuple[bool, int]]:
        node = Node()
        await node.check(TWO_GPUS)
        stream = EventStreams(node.monitor, node.notifier).stream()
        events = [await _gpus(stream)]
        for results in ((ONE_LOST, ONE_LOST), (TWO_GPUS,), (ONE_LOST, ONE_LOST)):
            await node.check(*results)
            events.append(await _gpus(stream))
        node.monitor.forget_gpus(["3b:00.0"])
        events.append(await _gpus(stream))
        missing = MissingGpu(TWO_GPUS.gpus[0], EPOCH)
        node.monitor.restore_gpus(StoredGpus(missing=(missing,)), EPOCH)
        return [*events, await _gpus(stream)]

    sound, lost = (False, 0), (True, 1)
    assert asyncio.run(listen()) == [sound, lost, sound, lost, sound, lost]


async def _gpus(stream: AsyncGenerator[bytes, None]) -> tuple[bool, int]:
    data = json.loads((await _next(stream)).partition(b"data: ")[2])
    return data["degraded"], data["missing"]


@pytest.mark.parametrize("result", [None, CheckFailure(Reason.TIMED_OUT), DiskInventory()])
def test_events_have_nothing_of_gpus_where_none_are_known(result: CheckResult | None) -> None:
    """Before an inventory, and for one without GPUs."""
    data = AppClient(result).get("/events").text.partition("data: ")[2]
    assert list(json.loads(data)) == ["status", "reason"]


def test_a_slow_client_gets_only_the_latest_update() -> None:
    """No events are queued."""

    async def listen() -> bytes:
        notifier = FakeNotifier()
        stream = EventStreams(FakeHealth(GpuInventory()), notifier).stream()
        await _next(stream)
        for _ in range(1000):
            notifier.publish()
        return await _next(stream)

    assert asyncio.run(listen()) == b"id: 1000\n" + UP


def test_an_idle_stream_sends_comments() -> None:
    """A proxy sees traffic; a browser ignores comments."""

    async def listen() -> list[bytes]:
        stream = EventStreams(FakeHealth(), FakeNotifier()).stream(keep_alive=0.001)
        return [await _next(stream) for _ in range(3)][1:]

    assert asyncio.run(listen()) == [b": keep-alive\n\n"] * 2


def test_all_streams_end_with_the_service() -> None:
    """When the notifier is closed."""

    async def listen() -> list[list[bytes]]:
        notifier = FakeNotifier()
        streams = EventStreams(FakeHealth(), notifier)
        open_streams = [streams.stream() for _ in range(3)]
        for stream in open_streams:
            await _next(stream)
        notifier.close()
        return [[each async for each in stream] for stream in open_streams]

    assert asyncio.run(listen()) == [[], [], []]


def test_a_stream_ends_after_its_maximum_duration() -> None:
    """A browser reconnects by itself."""
    times = iter([0.0, 1.0, MAX_DURATION + 1.0])

    async def listen() -> list[bytes]:
        notifier = FakeNotifier()
        health = FakeHealth(GpuInventory())
        stream = EventStreams(health, notifier, clock=lambda: next(times)).stream()
        await _next(stream)
        notifier.publish()
        return [each async for each in stream]

    assert asyncio.run(listen()) == [b"id: 1\n" + UP]


def test_one_stream_too_many_is_empty_until_another_one_ends() -> None:
    """Also where several start before the first one has sent anything."""

    async def listen() -> tuple[list[bytes], bool, bytes]:
        streams = EventStreams(FakeHealth(), FakeNotifier(), max_streams=2)
        first, second, third = (streams.stream() for _ in range(3))
        assert not streams.is_full()
        await _next(first)
        await _next(second)
        rest, was_full = [each async for each in third], streams.is_full()
        await first.aclose()
        return rest, was_full, await _next(streams.stream())

    rest, was_full, event = asyncio.run(listen())
    assert (rest, was_full) == ([], True)
    assert b"data: " in event


def test_all_clients_share_one_report() -> None:
    """A report of 20,000 GPUs is made once per update, not once per client."""

    async def listen() -> int:
        health = CountingHealth(GpuInventory())
        streams = EventStreams(health, FakeNotifier())
        for _ in range(100):
            await _next(streams.stream())
        health.health_response = HealthResponse(is_available=True, body=b"the next")
        for _ in range(100):
            await _next(streams.stream())
        return health.reports

    assert asyncio.run(listen()) == 2


def test_the_stream_of_the_application_starts_with_the_status() -> None:
    """It ends when the notifier is closed."""
    events = AppClient().get("/events").text
    assert events == 'retry: 2000\nid: 0\ndata: {"status":"unavailable","reason":"starting"}\n\n'
