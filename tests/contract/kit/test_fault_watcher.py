"""A process that dies closes one descriptor after the other, and the listener may be the last."""

import asyncio
import time

from dstack_backend.adapters.httpx_dstack import ConnectionWatcher, parse_address

STEADY = 1.1
"""Seconds: a connection that was held longer than a second counts as steady."""


class DyingServer:
    """Holds a connection for a while, lets a second one in, and only then stops listening."""

    def __init__(self) -> None:
        self.connections = 0
        self.died_at = 0.0
        self.server: asyncio.Server

    async def listen(self) -> str:
        """Begin, and give the address."""
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


def test_a_crash_is_seen_at_once_though_the_listener_closes_last() -> None:
    """A connection that is let in and closed at once, after a steady one, is followed by a look."""

    async def die() -> tuple[float, int]:
        dying = DyingServer()
        held = ConnectionWatcher(parse_address(await dying.listen()))
        async with asyncio.timeout(STEADY + 3):
            await held.wait_for_change()
        return time.monotonic() - dying.died_at, dying.connections

    seconds, connections = asyncio.run(die())
    assert seconds < 0.25
    assert connections == 2
