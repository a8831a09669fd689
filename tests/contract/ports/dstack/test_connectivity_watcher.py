"""The watcher with real sockets, on asyncio's own loop and on uvloop."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from dstack_backend.adapters.httpx_dstack import ConnectionWatcher, DStackAddress, parse_address
from dstack_backend.testing.simulated_dstack import SimulatedDStack
from tests.contract.ports.dstack.descriptors import open_descriptors
from tests.contract.ports.dstack.resetting import resetting

AT_ONCE = 0.8
"""Seconds, on a busy machine: less than the shortest pause of a watcher that has seen nothing."""

STEADY = 1.1
"""Seconds: a connection that is held for longer than a second is steady."""

NAME = "dstack.example"


async def _resolve(host: Any, port: int) -> list[Any] | None:
    """Resolve the name to an IPv6 address that cannot be connected to, and to 127.0.0.1."""
    await asyncio.sleep(0)
    if host not in (NAME, NAME.encode()):
        return None
    tcp = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    return [
        (socket.AF_INET6, *tcp, ("ff0e::1", port, 0, 0)),
        (socket.AF_INET, *tcp, ("127.0.0.1", port)),
    ]


class AsyncioLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, with a resolver that knows the name."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Return the addresses of a host."""
        return await _resolve(host, port) or await super().getaddrinfo(host, port, **options)


class UvLoop(uvloop.Loop):
    """uvloop, with a resolver that knows the name."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Return the addresses of a host."""
        return await _resolve(host, port) or await super().getaddrinfo(host, port, **options)


Run = Callable[[Callable[[], Coroutine[None, None, None]]], None]


@pytest.fixture(params=[AsyncioLoop, UvLoop])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on each loop."""

    def on_loop(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(scenario())

    return on_loop


async def _listen(dstack: SimulatedDStack, transport: str, folder: Path) -> DStackAddress:
    if transport == "unix":
        return parse_address(await dstack.listen_unix(folder / "vmm.sock"))
    url = await dstack.listen_tcp()
    return parse_address(url.replace("127.0.0.1", NAME) if transport == "name" else url)


async def _seconds_to_hint(watcher: ConnectionWatcher) -> float:
    started = time.monotonic()
    async with asyncio.timeout(5):
        await watcher.wait_for_change()
    return time.monotonic() - started


@pytest.mark.parametrize("transport", ["tcp", "unix", "name"])
def test_crash_and_return_are_noticed_at_once(run: Run, transport: str, tmp_path: Path) -> None:
    """Also where a name has an address that cannot be used."""

    async def scenario() -> None:
        dstack = SimulatedDStack()
        watcher = ConnectionWatcher(await _listen(dstack, transport, tmp_path))
        for _ in range(2):
            waiting = asyncio.ensure_future(_seconds_to_hint(watcher))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await dstack.crash()
            assert await waiting < 0.1 + AT_ONCE
            waiting = asyncio.ensure_future(_seconds_to_hint(watcher))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await dstack.revive()
            assert await waiting < 0.3 + AT_ONCE
        assert dstack.calls == 0
        await dstack.crash()

    run(scenario)


def test_closed_idle_connection_gives_no_hint(run: Run) -> None:
    """DStack closes idle connections; the connection is opened again."""

    async def scenario() -> None:
        dstack = SimulatedDStack()
        dstack.idle_timeout = STEADY
        watcher = ConnectionWatcher(parse_address(await dstack.listen_tcp()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5 * STEADY):
                await watcher.wait_for_change()
        await dstack.crash()

    run(scenario)


def test_server_that_resets_each_connection_gives_no_hint(run: Run) -> None:
    """It is connected to less and less often; a reset before that succeeds is no refusal."""

    async def scenario() -> None:
        with resetting() as server:
            watcher = ConnectionWatcher(parse_address(server.url))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):
                    await watcher.wait_for_change()
            assert server.connections <= 4, "at once, after 0.05 s, 1 s and 2 s"

    run(scenario)


def test_host_that_is_not_found_gives_no_hint(run: Run) -> None:
    """It is not known whether DStack has gone."""

    async def scenario() -> None:
        watcher = ConnectionWatcher(parse_address(f"http://{'x' * 64}.example"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await watcher.wait_for_change()

    run(scenario)


def test_cancelled_watcher_leaves_no_descriptor_open(run: Run) -> None:
    """While it holds a connection, and while it waits for the return."""

    async def scenario() -> None:
        dstack = SimulatedDStack()
        address = parse_address(await dstack.listen_tcp())
        before = open_descriptors()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await ConnectionWatcher(address).wait_for_change()
        await asyncio.sleep(0.1)
        assert open_descriptors() <= before
        await dstack.crash()

    run(scenario)


class DyingServer:
    """Closes its first connection after a while, accepts a second one, then stops listening."""

    def __init__(self) -> None:
        self.connections = 0
        self.died_at = 0.0
        self.server: asyncio.Server

    async def listen(self) -> str:
        """Start, and return the address."""
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.connections == 1:
            await asyncio.sleep(STEADY)
        else:
            self.server.close()
            self.died_at = time.monotonic()
        writer.close()


def test_crash_is_noticed_at_once_though_the_listener_closes_last(run: Run) -> None:
    """A process that dies closes one descriptor after the other."""

    async def scenario() -> None:
        dying = DyingServer()
        watcher = ConnectionWatcher(parse_address(await dying.listen()))
        async with asyncio.timeout(STEADY + 3):
            await watcher.wait_for_change()
        assert time.monotonic() - dying.died_at < AT_ONCE
        assert dying.connections == 2

    run(scenario)
