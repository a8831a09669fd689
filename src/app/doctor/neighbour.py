"""Whether it is our own service that listens at an address, and how it is."""

import http.client

import msgspec
from msgspec import Struct

from dstack_backend.app.healthcheck import is_alive
from dstack_backend.app.settings import ListenAddress
from dstack_backend.domain.failure import Reason
from dstack_backend.domain.status import Status

__all__ = ["Neighbour", "ask_neighbour"]

TIMEOUT = 3.0
LARGEST_ANSWER = 64 * 1024


class Neighbour(Struct, frozen=True):
    """What our service says of itself on `GET /`."""

    name: str
    version: str
    status: Status
    reason: Reason | None = None


def ask_neighbour(listen: ListenAddress) -> Neighbour | None:
    """Ask who listens there; `None` where it is not our service. It may take some seconds."""
    if not is_alive(listen):
        return None
    place = listen.met_at
    connection = http.client.HTTPConnection(place.host, place.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/", headers={"Accept": "application/json"})
        body = connection.getresponse().read(LARGEST_ANSWER)
        said = msgspec.json.decode(body, type=Neighbour)
    except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    finally:
        connection.close()
    return said if said.name == "dstack-backend" else None
