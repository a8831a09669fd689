"""`healthcheck`: whether the running service works; for Docker, in an image without curl."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import Command
from dstack_backend.app.config.parsers import ListenAddress
from dstack_backend.app.config.table import LISTEN_ADDR, read_setting
from dstack_backend.app.errors import UserError

__all__ = ["COMMAND"]

TIMEOUT = 3.0
"""Seconds in total. Docker's own limit is longer."""


def _is_alive(address: ListenAddress) -> bool:
    """Return whether `/livez` answers 200 in time. No proxy is used.

    The request runs in a thread: neither a slow look-up nor an answer that comes byte by byte has
    a deadline of its own.
    """
    from threading import Thread  # noqa: PLC0415 - slow

    results: list[bool] = []
    request = Thread(target=lambda: results.append(_request(address)), daemon=True)
    request.start()
    request.join(TIMEOUT)
    return any(results)


def _request(address: ListenAddress) -> bool:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - slow

    connection = HTTPConnection(address.host, address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200  # noqa: PLR2004 - OK; its enum is slow
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    listen = read_setting(LISTEN_ADDR, environ, options)
    if not _is_alive(listen.connect_address):
        raise UserError(str(listen), "no answer from /livez; is the service running?", exit_code=1)
    return 0


COMMAND = Command(
    name="healthcheck",
    summary="ask the running service whether it works",
    details="Exit code 0 if it answers within 3 s, 1 if it does not, 2 for a bad setting.",
    run=_run,
    settings=(LISTEN_ADDR,),
    example="--listen-addr 127.0.0.1:8090",
)
