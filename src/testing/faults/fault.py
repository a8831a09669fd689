"""What a fault is, and the movements that faults are made of.

None of them ends by itself where it says so: the simulated DStack ends it when the client leaves.
"""

import asyncio
import socket
import struct

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.testing.simulated_dstack import Behaviour, Request

__all__ = ["CANARY", "Fault", "hangs", "repeats", "resets", "sends", "trickles"]

CANARY = "canary-10.66.77.88-/root/canary"
"""An address and a path in each text that a fault sends: whoever repeats the text shows it."""

LONG = 3600.0
"""Seconds; longer than any client waits."""


class Fault(Struct, frozen=True):
    """One thing that can go wrong.

    Attributes:
        behaviour: What the simulated DStack does.
        reason: What a check must end with.
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
    """Send these bytes, then nothing, and keep the connection open."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.sleep(LONG)

    return behave


def resets(data: bytes = b"") -> Behaviour:
    """Send these bytes, then reset the connection."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.05)  # a reset overtakes what the client has not read
        connection = writer.get_extra_info("socket")
        if connection.family != socket.AF_UNIX:
            at_once = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    return behave


def repeats(head: bytes, piece: bytes) -> Behaviour:
    """Send the head, then the piece again and again, as fast as the client takes it."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # drain alone never pauses for a client that keeps up

    return behave


def trickles(head: bytes, piece: bytes, pause: float = 0.02) -> Behaviour:
    """Send the head at once, then the piece again and again, one byte in each pause (seconds)."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            for byte in piece:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(pause)

    return behave
