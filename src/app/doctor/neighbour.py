"""Whether it is our own service that listens at an address, and how it is."""

import http.client

import msgspec
from msgspec import Struct

from dstack_backend.app.healthcheck import is_alive
from dstack_backend.app.settings import ListenAddress
from dstack_backend.domain.failure import Reason
from dstack_backend.domain.status import Status

__all__ = ["Neighbour", "ask_neighbour", "met_at"]

TIMEOUT = 3.0
LARGEST_ANSWER = 64 * 1024

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a service on all of them is met


class Neighbour(Struct, frozen=True):
    """What our service says of itself on `GET /`."""

    name: str
    version: str
    status: Status
    reason: Reason | None = None


def met_at(listen: ListenAddress) -> ListenAddress:
    """Give where one who listens there is met from the same machine."""
    return ListenAddress(_ANY.get(listen.host, listen.host), listen.port)


def ask_neighbour(listen: ListenAddress) -> Neighbour | None:
    """Ask who listens there; `None` where it is not our service. It may take some seconds."""
    if not is_alive(listen):
        return None
    place = met_at(listen)
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
