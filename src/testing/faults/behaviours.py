"""The behaviours of which faults consist.

Behaviours that do not end are cancelled by the simulated DStack when the client disconnects.
"""

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable

from dstack_backend.testing.simulated_dstack import Behaviour, Request

__all__ = ["CANARY", "hangs", "repeats", "resets", "sends", "trickles", "writes"]

CANARY = "canary-10.66.77.88-/root/canary"
"""An address and a path in every text that a fault sends. It must not appear in any output."""

LONG = 3600.0
"""Seconds: longer than any client waits."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def writes(make: Callable[[], bytes]) -> Behaviour:
    """Send the bytes that a function returns; keep the connection for the next request."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(make())
        await writer.drain()

    return behave


def sends(data: bytes) -> Behaviour:
    """Send these bytes, then close the connection."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return behave


def hangs(data: bytes = b"") -> Behaviour:
    """Send these bytes, then nothing; keep the connection open."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.sleep(LONG)

    return behave


def resets(data: bytes = b"") -> Behaviour:
    """Send these bytes, then reset the connection."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.05)  # a reset discards what the client has not read
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()

    return behave


def repeats(head: bytes, *pieces: bytes, pause: float = 0.0) -> Behaviour:
    """Send the head, then the pieces again and again, with a pause in seconds after each."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for piece in itertools.cycle(pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)  # drain does not pause for a client that reads fast enough

    return behave


def trickles(head: bytes, piece: bytes) -> Behaviour:
    """Send the head, then the piece again and again, one byte every 20 ms."""
    return repeats(head, *(bytes([byte]) for byte in piece), pause=0.02)
