"""`healthcheck`: whether the running service works; for Docker, in an image without curl."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from threading import Thread

from dstack_backend.app.config.parsers import ListenAddress
from dstack_backend.app.config.table import LISTEN_ADDR, read_setting
from dstack_backend.app.errors import UserError

__all__ = ["run"]

TIMEOUT = 3.0
"""Seconds in total. Docker's own limit is longer."""


def _is_alive(address: ListenAddress) -> bool:
    """Return whether `/livez` answers 200 in time. No proxy is used.

    The request runs in a thread: neither a slow look-up nor an answer that comes byte by byte has
    a deadline of its own.
    """
    results: list[bool] = []
    request = Thread(target=lambda: results.append(_request(address)), daemon=True)
    request.start()
    request.join(TIMEOUT)
    return any(results)


def _request(address: ListenAddress) -> bool:
    connection = HTTPConnection(address.host, address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200  # noqa: PLR2004 - OK; its enum is slow
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Ask the service, and return the exit code."""
    listen = read_setting(LISTEN_ADDR, environ, options)
    if not _is_alive(listen.connect_address):
        raise UserError(str(listen), "no answer from /livez; is the service running?", exit_code=1)
    return 0
