"""The HTTP server, with the paths, fields, authentication and errors of DStack."""

import asyncio
import base64
import contextlib
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from http.client import responses
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from dstack_backend.domain.gpu import Gpu

__all__ = ["EIGHT_H200", "Behaviour", "Request", "SimulatedDStack", "http_answer"]

MAX_HEAD_SIZE = 64 * 1024
CLIENT_CHECK_INTERVAL = 0.05

EIGHT_H200 = tuple(
    Gpu(
        slot=f"{bus}:00.0",
        product_id="10de:2335",
        description="NVIDIA Corporation GH100 [H200 SXM 141GB]",
        is_free=bus not in ("19", "3b", "4c"),
    )
    for bus in ("19", "3b", "4c", "5d", "9b", "bb", "cb", "db")
)
"""The GPUs of an HGX H200 board, three of them in use."""


class Request(Struct, frozen=True):
    """The head of an HTTP request. The names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request in its own way, or not at all."""

# A process that dies leaves its socket; from Python 3.13 on asyncio would remove it.
_LEAVE_SOCKET: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class SimulatedDStack:
    """One DStack. Its attributes may be changed at any time; the next request sees them.

    Attributes:
        gpus: The GPUs that ListGpus lists.
        allow_attach_all: Field of the answer; `None` omits it, as DStack before June 2025 did.
        version: The `X-App-Version` header.
        token: The required bearer token; `None` requires none.
        login: User and password that are accepted beside the token.
        latency: Seconds that an answer takes: DStack waits for lspci.
        behaviour: Replaces the answer, for faults.
        calls: Number of requests for ListGpus.
        idle_timeout: Seconds after which an idle connection is closed.
    """

    def __init__(self, gpus: Sequence[Gpu] = EIGHT_H200) -> None:
        """Create a DStack without a fault. It does not listen yet."""
        self.gpus: Sequence[Gpu] = gpus
        self.allow_attach_all: bool | None = True
        self.version = "v0.5.11 (git:0123456789abcdef0123)"
        self.token: str | None = None
        self.login: tuple[str, str] | None = None
        self.latency = 0.0
        self.behaviour: Behaviour | None = None
        self.calls = 0
        self.idle_timeout = 10.0  # as DStack's
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._listen_again: Callable[[], Awaitable[str]] = self.listen_tcp

    async def listen_tcp(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> str:
        """Listen on a TCP port (0: a free one) and return the `DSTACK_URL`."""
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=tls, limit=MAX_HEAD_SIZE
        )
        bound = self._server.sockets[0].getsockname()[1]
        self._listen_again = lambda: self.listen_tcp(host, bound, tls)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if tls else 'http'}://{shown}:{bound}"

    async def listen_unix(self, path: Path) -> str:
        """Listen on a unix socket and return the `DSTACK_URL`."""
        # asyncio removes the socket that a dead server has left.
        self._server = await asyncio.start_unix_server(
            self._serve, path, limit=MAX_HEAD_SIZE, **_LEAVE_SOCKET
        )
        self._listen_again = lambda: self.listen_unix(path)
        return f"unix:{path}"

    async def crash(self) -> None:
        """Stop listening and abort all connections, as a process that dies does."""
        if self._server:
            # asyncio loses a connection that it has accepted but not yet given to a closed server.
            loop = asyncio.get_running_loop()
            for listener in self._server.sockets:
                loop.remove_reader(listener)
            await asyncio.sleep(0)
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def revive(self) -> str:
        """Listen again at the same address."""
        return await self._listen_again()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        if self._server is None:
            writer.transport.abort()  # it was accepted during the crash
        try:
            while True:
                request = await self._read(reader)
                await _run_while_connected(self._answer(request, writer), reader, writer)
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or the connection was idle for too long
        finally:
            self._connections.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.idle_timeout)
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, target, _ = f"{first}  ".split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        return Request(method, target, {name.lower(): value.strip() for name, _, value in pairs})

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        is_listing = urlsplit(request.target).path.endswith("/prpc/ListGpus")
        self.calls += is_listing
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.behaviour:
            await self.behaviour(request, writer)
        elif not self._is_authorized(request):
            challenge = {"WWW-Authenticate": 'Basic realm="dstack-vmm API"'}
            writer.write(http_answer(401, b"", challenge))
        elif not is_listing:
            writer.write(http_answer(404, b""))
        else:
            writer.write(http_answer(200, self._listing(), {"X-App-Version": self.version}))

    def _listing(self) -> bytes:
        answer: dict[str, object] = {"gpus": list(self.gpus)}
        if self.allow_attach_all is not None:
            answer["allow_attach_all"] = self.allow_attach_all
        return msgspec.json.encode(answer)

    def _is_authorized(self, request: Request) -> bool:
        accepted = {f"Bearer {self.token}"} if self.token else set[str]()
        if self.login:
            accepted.add("Basic " + base64.b64encode(":".join(self.login).encode()).decode())
        query = parse_qs(urlsplit(request.target).query)
        tokens = (request.headers.get("x-admin-token", ""), *query.get("token", []))
        sent = {request.headers.get("authorization"), *(f"Bearer {token}" for token in tokens)}
        return not accepted or not accepted.isdisjoint(sent)


async def _run_while_connected(
    answer: Coroutine[None, None, None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer while the client is connected: most faults do not end by themselves."""
    task = asyncio.ensure_future(answer)
    try:
        while not (task.done() or reader.at_eof() or writer.is_closing()):
            await asyncio.wait({task}, timeout=CLIENT_CHECK_INTERVAL)
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def http_answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return the bytes of an HTTP/1.1 answer with a JSON body."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}\r\n{head}\r\n".encode() + body
