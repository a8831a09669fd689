"""A simulated DStack: a real HTTP server on loopback TCP or on a unix socket.

It answers as DStack does until `behaviour` is set: see `dstack_backend.testing.faults`. Tests that
are not asynchronous run it in a thread.
"""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dstack_backend.testing.simulated_dstack.server import (
    EIGHT_H200,
    Behaviour,
    Request,
    SimulatedDStack,
    http_answer,
)

__all__ = [
    "EIGHT_H200",
    "Behaviour",
    "Remote",
    "Request",
    "SimulatedDStack",
    "http_answer",
    "in_thread",
]

SHUTDOWN_TIMEOUT = 5.0

T = TypeVar("T")


class Remote:
    """A simulated DStack whose event loop runs in another thread.

    Attributes:
        dstack: The DStack; its attributes may be changed from any thread.
        url: Its `DSTACK_URL`.
    """

    def __init__(self, dstack: SimulatedDStack, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.dstack = dstack
        self.url = url
        self._loop = loop

    def crash(self) -> None:
        """Stop listening and abort all connections."""
        _run(self.dstack.crash(), self._loop)

    def revive(self) -> None:
        """Listen again at the same address."""
        _run(self.dstack.revive(), self._loop)


@contextmanager
def in_thread(
    dstack: SimulatedDStack,
    socket: Path | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> Generator[Remote, None, None]:
    """Run a simulated DStack in a thread, on a unix socket if one is given, else on TCP."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated-dstack", daemon=True)
    thread.start()
    try:
        listening = dstack.listen_unix(socket) if socket else dstack.listen_tcp(host, tls=tls)
        yield Remote(dstack, _run(listening, loop), loop)
        _run(_shut_down(dstack), loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _run(coroutine: Coroutine[object, object, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


async def _shut_down(dstack: SimulatedDStack) -> None:
    await dstack.crash()
    # Without their connections all tasks end by themselves; cancelling them would be logged.
    # A connection that was just accepted is a task that starts another one.
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        _, late = await asyncio.wait(others, timeout=SHUTDOWN_TIMEOUT)
        for task in late:
            task.cancel()
