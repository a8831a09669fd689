"""The bodies that only the HTTP face knows. The others are the domain's."""

from msgspec import Struct

from dstack_backend.domain.failure import Reason
from dstack_backend.domain.status import Status

__all__ = ["LINKS", "Liveness", "Readiness", "ServiceInfo"]

LINKS = {
    "health": "/health",
    "status": "/status",
    "livez": "/livez",
    "readyz": "/readyz",
    "metrics": "/metrics",
    "openapi": "/schema/openapi.json",
}


class ServiceInfo(Struct, frozen=True, kw_only=True):
    """What this service is.

    Attributes:
        name: Its name.
        version: Version of the package.
        status: What the network is told.
        reason: Why the node is unavailable; `None` while it is available.
        links: Where the rest is.
    """

    name: str
    version: str
    status: Status
    reason: Reason | None
    links: dict[str, str]


class Liveness(Struct, frozen=True):
    """This process works. It says nothing of DStack."""

    alive: bool


class Readiness(Struct, frozen=True):
    """Whether a first check has finished, whatever it brought."""

    ready: bool
