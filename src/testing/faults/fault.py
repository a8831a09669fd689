"""The struct `Fault`, and the behaviours of which faults consist.

Behaviours that do not end are cancelled by the simulated DStack when the client disconnects.
"""

import asyncio
import socket
import struct

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.testing.simulated_dstack import Behaviour, Request

__all__ = ["CANARY", "Fault", "hangs", "repeats", "resets", "sends", "trickles"]

CANARY = "canary-10.66.77.88-/root/canary"
"""An address and a path in every text that a fault sends. It must not appear in any output."""

LONG = 3600.0
"""Seconds: longer than any client waits."""


class Fault(Struct, frozen=True):
    """A fault of a peer.

    Attributes:
        behaviour: The behaviour of the simulated DStack.
        reason: The reason of the failed check.
    """

    behaviour: Behaviour
    reason: Reason


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
        if connection.family != socket.AF_UNIX:
            at_once = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    return behave


def repeats(head: bytes, piece: bytes) -> Behaviour:
    """Send the head, then the piece repeatedly, as fast as the client reads."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # drain does not pause for a client that reads fast enough

    return behave


def trickles(head: bytes, piece: bytes, pause: float = 0.02) -> Behaviour:
    """Send the head, then the piece repeatedly, one byte every `pause` seconds."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            for byte in piece:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(pause)

    return behave
