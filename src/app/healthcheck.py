"""Asks the running service whether it works: for Docker's HEALTHCHECK, in an image without curl."""

import http.client
from http import HTTPStatus

from dstack_backend.app.settings import ListenAddress

__all__ = ["is_alive"]

TIMEOUT = 3.0
"""Seconds; Docker kills the command by itself only much later."""

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a service on all of them is met


def is_alive(listen: ListenAddress) -> bool:
    """Ask `/livez`, over no proxy, and say whether it answers."""
    host = _ANY.get(listen.host, listen.host)
    connection = http.client.HTTPConnection(host, listen.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
