"""Serves an ASGI application with granian, in this process and on the running event loop.

granian calls its embedded server experimental. It saves a second process, and with it 40 MB.
"""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Awaitable, Callable

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

__all__ = ["ListenError", "event_loop", "free_address", "serve"]

READ_TIMEOUT = 10_000
"""Milliseconds that a client has for the head of a request. granian's default is 30 s."""

SHUTDOWN_GRACE = 2.0
"""Seconds for requests that are under way at the end. A request takes milliseconds."""

MAX_CONNECTIONS = 8192
RESERVED_DESCRIPTORS = 128  # for checks, files and the event loop

_KEEP_LOGGING: dict[str, object] = {"incremental": True, "handlers": {}, "loggers": {}}
"""granian's default configuration of the log would replace the existing one."""

Application = Callable[..., Awaitable[None]]
"""An ASGI application."""


class ListenError(Exception):
    """The server cannot listen on the address. The text says why, without the address."""


def event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop of libuv. With it granian is twice as fast as with asyncio's own."""
    return uvloop.new_event_loop()


async def serve(app: Application, address: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then finish the requests under way, within the grace period.

    The address is numeric, see `free_address`. No lifespan events are sent: the caller runs the
    application's lifespan.

    Raises:
        ListenError: The address was taken in the meantime, or the server ended by itself.
    """
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=READ_TIMEOUT),
        websockets=False,
        backlog=1024,
        backpressure=_max_connections(),
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


def free_address(host: str, port: int) -> str:
    """Return the numeric address of a host, after a test that the port is free.

    granian sets SO_REUSEPORT: without the test a second instance would silently receive half of
    the requests of the first one.

    Raises:
        ListenError: The port is taken, or the address is not of this machine, or not permitted.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as exc:
        raise ListenError((exc.strerror or "failed").lower()) from exc
    return str(address[0])


def _max_connections() -> int:
    """Raise the limit of open files as far as permitted, and return how many clients it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_CONNECTIONS
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):  # the system may deny it
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return max(1, soft - RESERVED_DESCRIPTORS)
