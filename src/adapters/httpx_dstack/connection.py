"""Opens connections to DStack, and lets httpx make one request on such a connection."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpcore
import httpx
from anyio.abc import ByteStream

from dstack_backend.adapters.httpx_dstack.address import DStackAddress

__all__ = ["SingleConnection", "open_connection"]


async def open_connection(address: DStackAddress, tls: ssl.SSLContext | None = None) -> ByteStream:
    """Open a connection. A name is resolved first, then each of its addresses is tried.

    A cancelled call leaves nothing open, even within a TLS handshake.
    """
    if address.socket:
        return await anyio.connect_unix(address.socket)
    if tls is None:
        return await anyio.connect_tcp(address.host, address.port)
    return await anyio.connect_tcp(
        address.host,
        address.port,
        ssl_context=tls,
        tls_standard_compatible=False,
        tls_hostname=address.tls_name,
    )


class SingleConnection(httpx.AsyncBaseTransport):
    """A transport of httpx for one request on a connection that is already open.

    With httpx's own transport, a connection that was closed too early and an answer that is not
    HTTP are the same exception. Here the connection knows whether it was closed.

    """

    def __init__(self, stream: ByteStream) -> None:
        """Send the request on `stream`."""
        self._stream = _NetworkStream(stream)

    @property
    def is_closed_by_peer(self) -> bool:
        """Whether the other side has closed the connection in the regular way."""
        return self._stream.has_ended

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and return the response with its body still to be read."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        connection = httpcore.AsyncHTTP11Connection(url.origin, self._stream)
        response = await connection.handle_async_request(
            httpcore.Request(request.method, url, headers=request.headers.raw)
        )
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class _NetworkStream(httpcore.AsyncNetworkStream):
    """A connection as httpcore uses it. Timeouts are ignored: the check has a deadline."""

    def __init__(self, stream: ByteStream) -> None:
        self.has_ended = False
        self._stream = stream

    async def read(self, max_bytes: int, *_: Any, **__: Any) -> bytes:
        try:
            return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            self.has_ended = True
            return b""

    async def write(self, buffer: bytes, *_: Any, **__: Any) -> None:
        try:
            await self._stream.send(buffer)
        except anyio.BrokenResourceError as exc:
            raise httpcore.WriteError from exc  # httpcore then reads an answer that came before

    async def aclose(self) -> None:
        await self._stream.aclose()
