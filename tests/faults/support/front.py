"""A proxy in front of a DStack: it counts connections, and forwards or mistreats them."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path

__all__ = ["Front", "Treatment", "before", "closes", "forwards", "hangs", "idle", "resets", "sends"]

Treatment = Callable[["Front", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done with a connection, which is closed afterwards."""

READ_TIMEOUT = 0.1
"""Seconds without a byte after which a connection counts as idle: a check sends at once."""

CLOSING = 0.05
"""Seconds for closing: the loop needs some turns."""


class Front:
    """A listener on TCP or on a unix socket, in a thread.

    Attributes:
        treatment: What is done with a new connection.
        connections: How many were accepted.
        upstream: Where connections are forwarded to: a TCP port or a socket.
        url: Its `DSTACK_URL`, with http.
        port: Its TCP port; 0 where it listens on a unix socket.
    """

    def __init__(self, upstream: int | Path, treatment: Treatment) -> None:
        """Listen not yet."""
        self.treatment = treatment
        self.connections = 0
        self.upstream = upstream
        self.url = ""
        self.port = 0
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path | None) -> None:
        """Start to listen."""
        if path:
            self._server = await asyncio.start_unix_server(self._serve, path)
            self.url = f"unix:{path}"
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"

    async def end(self) -> None:
        """Close everything."""
        if self._server:
            self._server.close()
        await asyncio.sleep(CLOSING)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)
        await asyncio.sleep(CLOSING)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self.treatment(self, reader, writer)
        writer.close()


async def forwards(
    front: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b""
) -> None:
    """Forward everything to the DStack."""
    if isinstance(front.upstream, Path):
        from_dstack, to_dstack = await asyncio.open_unix_connection(front.upstream)
    else:
        from_dstack, to_dstack = await asyncio.open_connection("127.0.0.1", front.upstream)
    to_dstack.write(first)
    both = {
        asyncio.create_task(_pump(reader, to_dstack)),
        asyncio.create_task(_pump(from_dstack, writer)),
    }
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in both:
            pump.cancel()
        await asyncio.wait(both)
        to_dstack.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def sends(data: bytes) -> Treatment:
    """Send these bytes without a request, and close."""

    async def treat(_: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        with contextlib.suppress(TimeoutError):  # a close with unread bytes would be a reset
            await asyncio.wait_for(reader.read(), 1)

    return treat


async def closes(_: Front, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once."""
    writer.close()


async def hangs(_: Front, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Send nothing until the client closes."""
    while await reader.read(65536):
        pass


async def resets(_: Front, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset at once."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def idle(treatment: Treatment) -> Treatment:
    """Forward a connection with a request; treat an idle one."""

    async def treat(
        front: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            first = await asyncio.wait_for(reader.read(65536), READ_TIMEOUT)
        except TimeoutError:
            await treatment(front, reader, writer)
        else:
            await forwards(front, reader, writer, first)

    return treat


@contextlib.contextmanager
def before(
    upstream: int | Path, treatment: Treatment, path: Path | None = None
) -> Generator[Front, None, None]:
    """Run a front in a thread: on a unix socket where a path is given, else on TCP."""
    front = Front(upstream, treatment)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="front", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(front.listen(path), loop).result()
        yield front
        asyncio.run_coroutine_threadsafe(front.end(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
