"""Serves an ASGI application with granian, in this process and on this event loop.

granian calls its embedded form experimental; it saves the second process, and with it 40 MB.
"""

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

__all__ = ["ListenError", "event_loop", "free_address", "serve"]

HEADER_TIMEOUT = 10_000
"""Milliseconds that a client has for the head of a request; granian's default is 30 s."""

GRACE = 2.0
"""Seconds for requests under way when we are told to stop; ours take milliseconds."""

MOST_CONNECTIONS = 8192
SPARE_DESCRIPTORS = 128
"""For everything but connections of clients: the check's own, files, the event loop's."""


_OUR_LOG: dict[str, object] = {"incremental": True, "handlers": {}, "loggers": {}}
"""granian's own configuration of the log would take ours away."""


Application = Callable[..., Awaitable[None]]
"""An ASGI application."""


class ListenError(Exception):
    """The address cannot be listened on. The text says why, without the address."""


def event_loop() -> asyncio.AbstractEventLoop:
    """Make the loop on which granian is at its best: libuv's, twice as fast as asyncio's own."""
    return uvloop.new_event_loop()


async def serve(app: Application, address: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then answer what is under way, and end within the grace.

    Lifespan events are not sent: whoever calls this holds the application's lifespan.

    Args:
        app: The ASGI application.
        address: A numeric address, see `free_address`.
        port: The TCP port.
        stop: Ends the service.

    Raises:
        ListenError: The address was taken in the meantime, or the server gave up.
    """
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        websockets=False,
        backlog=1024,
        backpressure=_connections(),
        log_level=LogLevels.error,
        log_dictconfig=_OUR_LOG,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.stop()  # type: ignore[no-untyped-call]  # granian's own
    # A client that dawdles over its request holds granian up; it had its time.
    done, _ = await asyncio.wait({serving}, timeout=GRACE)
    serving.cancel()
    if done and not stop.is_set():
        raise ListenError("the server ended by itself") from serving.exception()


def free_address(host: str, port: int) -> str:
    """Give the numeric address to listen on, after it has been seen free.

    granian shares its port with whoever asks (SO_REUSEPORT), so that a second instance would take
    half of the first one's requests without a word.

    Args:
        host: An address, or a name that resolves to one.
        port: The TCP port.

    Raises:
        ListenError: It is taken, or not of this machine, or not for us.
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


def _connections() -> int:
    """Raise the limit of open files as far as we may, and give what it leaves for clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        MOST_CONNECTIONS
        if soft == resource.RLIM_INFINITY
        else max(1, min(MOST_CONNECTIONS, soft - SPARE_DESCRIPTORS))
    )
