"""Opens connections to DStack, for checks and for the watcher."""

import ssl
from typing import Any

import anyio
import httpcore
from anyio.abc import ByteStream

from dstack_backend.adapters.httpx_dstack.address import DStackAddress

__all__ = ["HttpcoreStream", "open_connection"]


async def open_connection(address: DStackAddress, tls: ssl.SSLContext | None = None) -> ByteStream:
    """Open a connection. A name is resolved first, then each of its addresses is tried.

    A cancelled call leaves nothing open, even within a TLS handshake.
    """
    if address.socket:
        return await anyio.connect_unix(address.socket)
    if tls is None:
        return await anyio.connect_tcp(address.host, address.port)
    return await anyio.connect_tcp(
        address.host, address.port, ssl_context=tls, tls_standard_compatible=False
    )


class HttpcoreStream(httpcore.AsyncNetworkStream):
    """A connection as httpcore uses it. Timeouts are ignored: the check has a deadline.

    Attributes:
        has_ended: Whether the other side has closed the connection in the regular way.
    """

    def __init__(self, stream: ByteStream) -> None:
        """Read from and write to `stream`."""
        self.has_ended = False
        self._stream = stream

    async def read(self, max_bytes: int, *_: Any, **__: Any) -> bytes:
        """Return the next bytes, or none at the end."""
        try:
            return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            self.has_ended = True
            return b""

    async def write(self, buffer: bytes, *_: Any, **__: Any) -> None:
        """Send bytes."""
        try:
            await self._stream.send(buffer)
        except anyio.BrokenResourceError as exc:
            raise httpcore.WriteError from exc  # httpcore then reads an answer that came before

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()
