"""The simulated DStack closes all its connections."""

import gc
import socket
from contextlib import ExitStack
from threading import Event, Thread

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread

ENDS = 30
CLIENTS = 100


class Crowd:
    """Clients that connect one after another while the server listens."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self._arrived = Event()
        self._thread = Thread(target=self._connect)
        self._thread.start()
        assert self._arrived.wait(5)

    def _connect(self) -> None:
        with ExitStack() as ends:
            for _ in range(CLIENTS):
                try:
                    ends.enter_context(socket.create_connection(self._address, timeout=5))
                except OSError:
                    return
                self._arrived.set()

    def wait(self) -> None:
        """Wait until the server has stopped."""
        self._thread.join()


def test_shutdown_during_connects_leaves_no_connection_open() -> None:
    """Connections that are just being accepted are closed too."""
    for _ in range(ENDS):
        with in_thread(SimulatedDStack()) as remote:
            crowd = Crowd(remote.url)
        crowd.wait()
    gc.collect()  # asyncio warns of unclosed transports, and a warning fails the test
