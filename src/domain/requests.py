"""Requests of `/health`: whether the worker reaches the service. In memory, since the start."""

from collections.abc import Callable

from msgspec import Struct

__all__ = ["HealthRequestReport", "HealthRequests"]

CLIENT_WINDOW = 300.0
"""Seconds for which a client is counted after its last request."""

MAX_CLIENTS = 64
"""Clients that are counted."""


class HealthRequestReport(Struct, frozen=True, kw_only=True):
    """The requests of `/health` since the start, without those of browsers.

    Attributes:
        count: How many there were.
        last_age_seconds: Seconds since the last one; `None` where there was none.
        clients: Addresses that they came from in the last 5 minutes; at most 64 are counted.
    """

    count: int
    last_age_seconds: float | None
    clients: int


class HealthRequests:
    """Counts the requests. No address leaves it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Start with none. `monotonic` returns the present time in seconds."""
        self._monotonic = monotonic
        self._count = 0
        self._last: float | None = None
        self._clients: dict[str, float] = {}

    def add(self, client: str) -> None:
        """Count a request from an address."""
        self._last = now = self._monotonic()
        self._count += 1
        if client in self._clients or self._has_room(now):
            self._clients[client] = now

    def report(self) -> HealthRequestReport:
        """Return the counts."""
        now = self._monotonic()
        self._forget(now)
        return HealthRequestReport(
            count=self._count,
            last_age_seconds=None if self._last is None else round(now - self._last, 3),
            clients=len(self._clients),
        )

    def _has_room(self, now: float) -> bool:
        if len(self._clients) >= MAX_CLIENTS:
            self._forget(now)
        return len(self._clients) < MAX_CLIENTS

    def _forget(self, now: float) -> None:
        recent = now - CLIENT_WINDOW
        self._clients = {client: at for client, at in self._clients.items() if at >= recent}
