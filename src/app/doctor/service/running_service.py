"""Recognises a dstack-backend that answers at an address."""

import asyncio
import http.client

import msgspec
from msgspec import Struct

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.domain.check import Reason
from dstack_backend.domain.status import Status

__all__ = ["RunningService", "find_running_service"]

MAX_BODY = 64 * 1024
SOCKET_TIMEOUT = 3.0


class RunningService(Struct, frozen=True):
    """What `GET /` of a running service returns."""

    name: str
    version: str
    status: Status
    reason: Reason | None = None


async def find_running_service(listen: ListenAddress, timeout: float) -> RunningService | None:  # noqa: ASYNC109 - it becomes `None`
    """Return the dstack-backend at an address; `None` where none answers in time."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(_get, listen.connect_address), timeout)
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None


def _get(address: ListenAddress) -> RunningService | None:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=SOCKET_TIMEOUT)
    try:
        connection.request("GET", "/", headers={"Accept": "application/json"})
        body = connection.getresponse().read(MAX_BODY)
    finally:
        connection.close()
    found = msgspec.json.decode(body, type=RunningService)
    return found if found.name == "dstack-backend" else None
