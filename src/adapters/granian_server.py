"""Serves an ASGI application with granian, in this process and on the running event loop.

granian calls its embedded server experimental. It saves a second process, and with it 40 MB.
"""

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]  # as granian does
from granian.server.embed import Server

__all__ = ["EVERY_ADDRESS", "ListenError", "event_loop", "listen", "max_connections", "serve"]

EVERY_ADDRESS = "*"
"""The host that means every IPv4 and IPv6 address."""

READ_TIMEOUT = 10_000
"""Milliseconds that a client has for the head of a request. granian's default is 30 s."""

SHUTDOWN_GRACE = 2.0
"""Seconds for requests that are under way at the end. A request takes milliseconds."""

MAX_CONNECTIONS = 8192
RESERVED_DESCRIPTORS = 128  # for checks, files and the event loop
USUAL_LIMIT = 1024  # of open files, where the system does not permit to read it
BACKLOG = 1024

SILENCE = 60
"""Seconds for which a client that sends nothing takes no place, on Linux: the kernel keeps it."""

_KEEP_LOGGING: dict[str, object] = {"incremental": True, "handlers": {}, "loggers": {}}
"""granian's default configuration of the log would replace the existing one."""

Application = Callable[..., Awaitable[None]]
"""An ASGI application."""


_log = logging.getLogger(__name__)


class ListenError(Exception):
    """The server cannot listen on the address. The text says why, without the address."""


class _Server(Server):
    """granian with the caller's socket. Its own one would share its port (SO_REUSEPORT)."""

    def __init__(self, app: Application, listener: socket.socket, **options: Any) -> None:
        super().__init__(app, **options)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stub has no constructor
        self._ssp: Any = None
        self._shd: Any = holder(self._listener.detach(), False, BACKLOG)  # noqa: FBT003 - granian's
        self._sfd: Any = self._shd.get_fd()


def event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop of libuv. With it granian is twice as fast as with asyncio's own."""
    return uvloop.new_event_loop()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address alone. An IPv6 address does not include IPv4.

    Raises:
        ListenError: The port is taken, or the address is not of this machine, or not permitted.
    """
    try:
        if host == EVERY_ADDRESS:
            return _listen_on_every_address(port)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return _listen(found[0][0], found[0][4])
    except OSError as exc:
        raise ListenError((exc.strerror or "failed").lower()) from exc


def _listen_on_every_address(port: int) -> socket.socket:
    try:
        return _listen(socket.AF_INET6, ("::", port), is_dual_stack=True)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise
        return _listen(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104 - without IPv6


def _listen(
    family: socket.AddressFamily, address: tuple[Any, ...], *, is_dual_stack: bool = False
) -> socket.socket:
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_dual_stack)
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENCE)
        listener.settimeout(0)
        listener.bind(address)
        listener.listen(BACKLOG)  # of two that have bound one port, only one may listen
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    app: Application, listener: socket.socket, stop: asyncio.Event, connections: int
) -> None:
    """Serve until `stop` is set; then finish the requests under way, within the grace period.

    The socket, of `listen`, is closed at the end. More clients than `connections` wait. No lifespan
    events are sent: the caller runs the application's lifespan.

    Raises:
        ListenError: The server ended by itself.
    """
    server = _Server(
        app,
        listener,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=READ_TIMEOUT),
        websockets=False,
        backlog=BACKLOG,
        backpressure=connections,
        log_level=LogLevels.error,
        log_dictconfig=_KEEP_LOGGING,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.stop()  # type: ignore[no-untyped-call]  # granian's own
    # granian waits for clients that are slow to send their request.
    done, _ = await asyncio.wait({serving}, timeout=SHUTDOWN_GRACE)
    serving.cancel()
    if done and not stop.is_set():
        raise ListenError("the server ended by itself") from serving.exception()


def max_connections() -> int:
    """Raise the limit of open files as far as permitted, and return how many clients it allows."""
    wanted = MAX_CONNECTIONS + RESERVED_DESCRIPTORS
    soft = USUAL_LIMIT
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return MAX_CONNECTIONS
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if limit > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            soft = limit
    except (OSError, ValueError):
        _log.warning("the system denies a higher limit of open files than %d", soft)
    return min(MAX_CONNECTIONS, soft - min(RESERVED_DESCRIPTORS, soft // 2))
