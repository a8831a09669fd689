"""Asks the running service whether it works: for Docker's HEALTHCHECK, in an image without curl."""

import http.client
from http import HTTPStatus
from threading import Thread

from dstack_backend.app.config.settings import ListenAddress

__all__ = ["is_alive"]

TIMEOUT = 3.0
"""Seconds in total; Docker kills the command by itself only much later."""


def is_alive(listen: ListenAddress, timeout: float = TIMEOUT) -> bool:
    """Ask `/livez`, over no proxy, and say whether it answers in time.

    A thread asks: neither a slow look-up nor an answer that trickles has a deadline of its own.
    """
    said: list[bool] = []
    asking = Thread(
        target=lambda: said.append(_answers(listen.connect_address, timeout)), daemon=True
    )
    asking.start()
    asking.join(timeout)
    return any(said)


def _answers(place: ListenAddress, timeout: float) -> bool:
    connection = http.client.HTTPConnection(place.host, place.port, timeout=timeout)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
