"""A DStack without a GPU host: a real server on loopback TCP or on a unix socket.

It answers as DStack does (paths, fields, authentication, errors, the closing of idle connections),
until it is given another behaviour: see `dstack_backend.testing.faults`.
"""

import asyncio
import base64
import contextlib
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from dstack_backend.domain.gpu import Gpu

__all__ = [
    "EIGHT_H200",
    "Behaviour",
    "Remote",
    "Request",
    "SimulatedDStack",
    "http_answer",
    "in_thread",
]

IDLE_TIMEOUT = 10.0
"""Seconds after which DStack closes an idle connection."""

LARGEST_HEAD = 64 * 1024

LONGEST_END = 5.0
"""Seconds that connections may take to end when the DStack does."""

LOOK_AFTER_CLIENT = 0.05
"""Seconds between two looks whether a client that is being answered is still there."""

_FIRST_FREE_BUS = 0x5D

EIGHT_H200 = tuple(
    Gpu(
        slot=f"{bus:02x}:00.0",
        product_id="10de:2335",
        description="NVIDIA Corporation GH100 [H200 SXM 141GB]",
        is_free=bus >= _FIRST_FREE_BUS,
    )
    for bus in (0x19, 0x3B, 0x4C, 0x5D, 0x9B, 0xBB, 0xCB, 0xDB)
)
"""The GPUs of an HGX H200 board, three of them in use."""


class Request(Struct, frozen=True):
    """What a client asked for.

    Attributes:
        method: `GET` or `POST`.
        target: Path and query.
        headers: By name in lower case.
    """

    method: str
    target: str
    headers: dict[str, str]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request with whatever bytes it likes, at whatever pace, or not at all."""


# A process that dies leaves its socket; from Python 3.13 on asyncio would remove it.
_LEAVE_SOCKET: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class SimulatedDStack:
    """One DStack. Its attributes may be changed at any time; the next request sees them.

    Attributes:
        gpus: What ListGpus lists.
        allow_attach_all: As in the answer; `None` leaves it out, as DStack before June 2025 did.
        version: The `X-App-Version` header.
        token: The bearer token that is asked for; `None` lets everybody in.
        login: User and password that are accepted beside the token.
        latency: Seconds that an answer takes: DStack waits for lspci.
        behaviour: What happens instead of an answer, for faults.
        calls: How many requests for ListGpus arrived.
        idle_timeout: Seconds after which an idle connection is closed.
    """

    def __init__(self, gpus: Sequence[Gpu] = EIGHT_H200) -> None:
        """Make a DStack in good health. It does not listen yet."""
        self.gpus: Sequence[Gpu] = gpus
        self.allow_attach_all: bool | None = True
        self.version = "v0.5.11 (git:0123456789abcdef0123)"
        self.token: str | None = None
        self.login: tuple[str, str] | None = None
        self.latency = 0.0
        self.behaviour: Behaviour | None = None
        self.calls = 0
        self.idle_timeout = IDLE_TIMEOUT
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._listen_again: Callable[[], Awaitable[str]] | None = None

    async def listen_tcp(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> str:
        """Listen on a TCP port (0: a free one) and give the `DSTACK_URL`."""
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=tls, limit=LARGEST_HEAD
        )
        address = self._server.sockets[0].getsockname()
        self._listen_again = lambda: self.listen_tcp(host, address[1], tls)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if tls else 'http'}://{shown}:{address[1]}"

    async def listen_unix(self, path: Path) -> str:
        """Listen on a unix socket and give the `DSTACK_URL`."""
        # asyncio removes the socket that a dead server has left.
        self._server = await asyncio.start_unix_server(
            self._serve, path, limit=LARGEST_HEAD, **_LEAVE_SOCKET
        )
        self._listen_again = lambda: self.listen_unix(path)
        return f"unix:{path}"

    async def crash(self) -> None:
        """Stop listening and cut all connections, as a process that dies does."""
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
        """Listen again where it listened before."""
        if self._listen_again is None:
            raise RuntimeError("it has never listened")
        return await self._listen_again()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        if self._server is None:
            writer.transport.abort()  # it was accepted while the DStack crashed
        try:
            while request := await self._read(reader):
                await _until_gone(self._answer(request, writer), reader, writer)
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or DStack has waited long enough
        finally:
            self._connections.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.idle_timeout)
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, target, _ = f"{first}  ".split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        return Request(method, target, {name.lower(): value.strip() for name, _, value in pairs})

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        listing = urlsplit(request.target).path.endswith("/prpc/ListGpus")
        self.calls += listing
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.behaviour:
            await self.behaviour(request, writer)
        elif not self._is_let_in(request):
            challenge = {"WWW-Authenticate": 'Basic realm="dstack-vmm API"'}
            writer.write(http_answer(401, b"", challenge))
        elif not listing:
            writer.write(http_answer(404, b""))
        else:
            writer.write(http_answer(200, self._listing(), {"X-App-Version": self.version}))

    def _listing(self) -> bytes:
        answer: dict[str, object] = {"gpus": list(self.gpus)}
        if self.allow_attach_all is not None:
            answer["allow_attach_all"] = self.allow_attach_all
        return msgspec.json.encode(answer)

    def _is_let_in(self, request: Request) -> bool:
        if self.token is None and self.login is None:
            return True
        given = request.headers.get("authorization", "")
        query = parse_qs(urlsplit(request.target).query)
        by_token = self.token is not None and (
            given == f"Bearer {self.token}"
            or request.headers.get("x-admin-token") == self.token
            or self.token in query.get("token", [])
        )
        login = ":".join(self.login or ())
        by_login = bool(login) and given == f"Basic {base64.b64encode(login.encode()).decode()}"
        return by_token or by_login


async def _until_gone(
    answer: Coroutine[None, None, None],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer as long as the client is there: most faults do not end by themselves."""
    answering = asyncio.ensure_future(answer)
    try:
        while not (answering.done() or reader.at_eof() or writer.is_closing()):
            await asyncio.wait({answering}, timeout=LOOK_AFTER_CLIENT)
    finally:
        answering.cancel()
        await asyncio.wait({answering})
    if not answering.cancelled():
        answering.result()


def http_answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Give the bytes of an HTTP/1.1 answer with a JSON body."""
    phrase = _PHRASES.get(status, "Unknown")
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode() + body


class Remote:
    """A simulated DStack whose event loop is in another thread.

    Attributes:
        dstack: The DStack; its attributes may be changed from any thread.
        url: Its `DSTACK_URL`.
    """

    def __init__(self, dstack: SimulatedDStack, url: str, loop: asyncio.AbstractEventLoop) -> None:
        """Hold on to all three."""
        self.dstack = dstack
        self.url = url
        self._loop = loop

    def crash(self) -> None:
        """Stop listening and cut all connections."""
        asyncio.run_coroutine_threadsafe(self.dstack.crash(), self._loop).result()

    def revive(self) -> None:
        """Listen again where it listened before."""
        asyncio.run_coroutine_threadsafe(self.dstack.revive(), self._loop).result()


@contextlib.contextmanager
def in_thread(
    dstack: SimulatedDStack, socket: Path | None = None, tls: ssl.SSLContext | None = None
) -> Generator[Remote, None, None]:
    """Run a simulated DStack in a thread: on a unix socket where one is named, else on TCP."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated-dstack", daemon=True)
    thread.start()

    async def finish() -> None:
        await dstack.crash()
        # Without their connections all tasks end by themselves; cancelling them would be logged.
        # A connection that was just accepted is a task that begins another.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            _, late = await asyncio.wait(others, timeout=LONGEST_END)
            for task in late:
                task.cancel()

    try:
        listening = dstack.listen_unix(socket) if socket else dstack.listen_tcp(tls=tls)
        url = asyncio.run_coroutine_threadsafe(listening, loop).result()
        yield Remote(dstack, url, loop)
        asyncio.run_coroutine_threadsafe(finish(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
