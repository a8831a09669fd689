"""Runs a simulated DStack in a thread, for tests that are not asynchronous."""

import asyncio
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from dstack_backend.testing.simulated_dstack.server import SimulatedDStack

__all__ = ["Remote", "in_thread"]

SHUTDOWN_TIMEOUT = 5.0


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
        asyncio.run_coroutine_threadsafe(self.dstack.crash(), self._loop).result()

    def revive(self) -> None:
        """Listen again at the same address."""
        asyncio.run_coroutine_threadsafe(self.dstack.revive(), self._loop).result()


@contextmanager
def in_thread(
    dstack: SimulatedDStack, socket: Path | None = None, tls: ssl.SSLContext | None = None
) -> Generator[Remote, None, None]:
    """Run a simulated DStack in a thread, on a unix socket if one is given, else on TCP."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulated-dstack", daemon=True)
    thread.start()

    async def shut_down() -> None:
        await dstack.crash()
        # Without their connections all tasks end by themselves; cancelling them would be logged.
        # A connection that was just accepted is a task that starts another one.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            _, late = await asyncio.wait(others, timeout=SHUTDOWN_TIMEOUT)
            for task in late:
                task.cancel()

    try:
        listening = dstack.listen_unix(socket) if socket else dstack.listen_tcp(tls=tls)
        url = asyncio.run_coroutine_threadsafe(listening, loop).result()
        yield Remote(dstack, url, loop)
        asyncio.run_coroutine_threadsafe(shut_down(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
