"""The bodies of responses that are not the domain's."""

from msgspec import UNSET, Struct, UnsetType

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.requests import HealthRequestReport
from dstack_backend.domain.status import Status

__all__ = [
    "Event",
    "HistoryPage",
    "Liveness",
    "NodeReport",
    "ParameterFault",
    "Problem",
    "Readiness",
    "ServiceInfo",
    "UptimeReport",
    "UptimeWindow",
]


class ServiceInfo(Struct, frozen=True, kw_only=True):
    """The service, the node, its status, and links to the other paths."""

    name: str
    node: str
    version: str
    status: Status
    reason: Reason | None
    links: dict[str, str]


class NodeReport(StatusReport, frozen=True, kw_only=True):
    """Everything that is known, and who asks for it.

    Attributes:
        node: Name of the node for people.
        health_requests: The requests of `/health`: whether the worker reaches the service.
    """

    node: str
    health_requests: HealthRequestReport


class Liveness(Struct, frozen=True):
    """Whether this process works, whatever the status of the node."""

    alive: bool


class Readiness(Struct, frozen=True):
    """Whether a first check has finished, whatever its result."""

    ready: bool


class HistoryPage(Struct, frozen=True):
    """Entries of the history, the last written first, and a relative link to the older ones."""

    entries: list[HistoryEntry]
    next: str | None


class UptimeWindow(Struct, frozen=True):
    """The uptime of a window of time that ends now.

    Attributes:
        window: Its name: `24h`, `7d`, `30d` or `90d`.
        up_percent: Share of the known time in which the node was available; `None` where nothing
            is known.
        unknown_percent: Share of the whole time of which nothing is known.
        recorded: Whether more is recorded of it than of a shorter one.
    """

    window: str
    up_percent: float | None
    unknown_percent: float
    recorded: bool


class UptimeReport(Struct, frozen=True):
    """The uptime of several windows, the shortest first."""

    windows: list[UptimeWindow]


class Event(Struct, frozen=True):
    """The data of an event of `/events`.

    Attributes:
        status: What the network is told.
        reason: Why it is unavailable; `None` while it is available.
        degraded: Whether GPUs are missing, or none is listed at all. This field and the next one
            are absent while no inventory of GPUs is known.
        missing: How many GPUs are missing.
    """

    status: Status
    reason: Reason | None
    degraded: bool | UnsetType = UNSET
    missing: int | UnsetType = UNSET


class ParameterFault(Struct, frozen=True, kw_only=True):
    """What is wrong with one parameter, and where it was given."""

    message: str
    key: str
    source: str


class Problem(Struct, frozen=True):
    """Why a request failed, with the invalid parameters, where there are any."""

    status_code: int
    detail: str
    extra: list[ParameterFault] | UnsetType = UNSET
