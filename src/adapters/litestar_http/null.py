"""Null implementations of the optional ports."""

from dstack_backend.domain.history import WINDOWS, HistoryEntry, Uptime

__all__ = ["NullHistory", "NullNotifier"]


class NullHistory:
    """A `HistoryReader` without entries."""

    async def latest(self, limit: int, **_: object) -> list[HistoryEntry]:  # noqa: ARG002 - port's
        """Return no entries."""
        return []

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Return slots of which nothing is known."""
        return [Uptime(0.0, 0.0, seconds / slots)] * slots

    async def uptime(self) -> dict[str, Uptime]:
        """Return windows of which nothing is known."""
        return {name: Uptime(0.0, 0.0, size.total_seconds()) for name, size in WINDOWS.items()}


class NullNotifier:
    """An `UpdateNotifier` without updates: each event stream ends after its first event."""

    version = 0

    async def wait_newer(self, version: int) -> int | None:  # noqa: ARG002 - the port's
        """Return at once: there will be no updates."""
        return None
