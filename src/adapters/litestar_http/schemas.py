"""The bodies that only the HTTP face knows. The others are the domain's."""

from msgspec import UNSET, Struct, UnsetType

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.domain.status import Status

__all__ = [
    "LINKS",
    "Event",
    "HistoryPage",
    "Liveness",
    "ParameterFault",
    "Problem",
    "Readiness",
    "ServiceInfo",
    "UptimeShares",
    "WindowShare",
]

LINKS = {
    "health": "/health",
    "status": "/status",
    "history": "/history",
    "uptime": "/uptime",
    "events": "/events",
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


class HistoryPage(Struct, frozen=True):
    """Some changes, the last written first.

    Attributes:
        entries: The changes.
        next: Where the older ones are; `None` where there are none.
    """

    entries: list[HistoryEntry]
    next: str | None


class WindowShare(Struct, frozen=True):
    """How a time up to now divides.

    Attributes:
        window: Its name: `24h`, `7d`, `30d` or `90d`.
        up_percent: Share of the known time in which the node was available; `None` where nothing
            is known.
        unknown_percent: Share of the whole time in which nobody looked.
    """

    window: str
    up_percent: float | None
    unknown_percent: float


class UptimeShares(Struct, frozen=True):
    """The uptime of several windows.

    Attributes:
        windows: The shortest first.
    """

    windows: list[WindowShare]


class Event(Struct, frozen=True):
    """What an event of `/events` carries.

    Attributes:
        status: What the network is told.
        reason: Why the node is unavailable; `None` while it is available.
    """

    status: Status
    reason: Reason | None


class ParameterFault(Struct, frozen=True, kw_only=True):
    """What is wrong with one parameter.

    Attributes:
        message: The fault.
        key: The parameter's name.
        source: Where it stood.
    """

    message: str
    key: str
    source: str


class Problem(Struct, frozen=True):
    """Why a request was not answered.

    Attributes:
        status_code: The answer's status.
        detail: One sentence.
        extra: The parameters that are at fault, where it is those.
    """

    status_code: int
    detail: str
    extra: list[ParameterFault] | UnsetType = UNSET
