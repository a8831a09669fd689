"""The simulated DStack lists what is set, and closes all its connections."""

import asyncio
import gc
import socket
from contextlib import ExitStack
from threading import Event, Thread

from dstack_backend.adapters.httpx_dstack import HttpxDStack, parse_address
from dstack_backend.domain import Gpu, GpuInventory
from dstack_backend.testing.simulated_dstack import EIGHT_H200, SimulatedDStack, in_thread

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


def test_next_request_lists_the_gpus_that_are_set() -> None:
    """Also NVSwitches, and any slots in any order."""
    switch = Gpu(slot="07:00.0", product_id="10de:22a3", description="NVSwitch", is_free=True)
    lost = EIGHT_H200[1:]
    with in_thread(SimulatedDStack()) as remote:
        source = HttpxDStack(parse_address(remote.url), timeout=5.0)
        for gpus in (EIGHT_H200, lost, (*reversed(lost), switch), (), EIGHT_H200[:1] * 2):
            remote.dstack.gpus = gpus
            inventory = asyncio.run(source.list_gpus())
            assert isinstance(inventory, GpuInventory), inventory
            assert inventory.gpus == tuple(gpu for gpu in gpus if gpu is not switch)
            assert inventory.other_devices == ((switch,) if switch in gpus else ())
