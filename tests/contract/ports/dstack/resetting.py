"""A server that resets each connection as early as it can."""

import contextlib
import socket
import struct
import threading
from collections.abc import Generator

from msgspec import Struct

__all__ = ["Resetting", "resetting"]


class Resetting(Struct):
    """Its address, and how many connections it has reset."""

    url: str
    connections: int = 0


@contextlib.contextmanager
def resetting() -> Generator[Resetting, None, None]:
    """Run one in a thread. A client may see the reset before or after it is connected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server = Resetting(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()  # it inherits the option: a close is a reset
                    server.connections += 1

        thread = threading.Thread(target=serve, name="resetting", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
