"""Whether it is our own service that listens at an address, and how it is."""

import http.client

import msgspec
from msgspec import Struct

from dstack_backend.app.cli.healthcheck import is_alive
from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.domain.check import Reason
from dstack_backend.domain.status import Status

__all__ = ["RunningService", "find_running_service"]

TIMEOUT = 3.0
LARGEST_ANSWER = 64 * 1024


class RunningService(Struct, frozen=True):
    """What our service says of itself on `GET /`."""

    name: str
    version: str
    status: Status
    reason: Reason | None = None


def find_running_service(listen: ListenAddress) -> RunningService | None:
    """Ask who listens there; `None` where it is not our service. It may take some seconds."""
    if not is_alive(listen):
        return None
    environment = listen.connect_address
    connection = http.client.HTTPConnection(environment.host, environment.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/", headers={"Accept": "application/json"})
        body = connection.getresponse().read(LARGEST_ANSWER)
        said = msgspec.json.decode(body, type=RunningService)
    except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    finally:
        connection.close()
    return said if said.name == "dstack-backend" else None
