"""Stand-ins for whoever mounts the handlers without a past and without news."""

from datetime import datetime

from dstack_backend.domain.history import WINDOWS, HistoryEntry, Uptime

__all__ = ["NullHistory", "NullNotifier"]


class NullHistory:
    """Implements the port `Past`: nobody ever looked."""

    async def latest(
        self,
        limit: int,  # noqa: ARG002 - the port's
        *,
        since: datetime | None = None,  # noqa: ARG002 - the port's
        until: datetime | None = None,  # noqa: ARG002 - the port's
        before: int | None = None,  # noqa: ARG002 - the port's
    ) -> list[HistoryEntry]:
        """Give no entries."""
        return []

    async def uptime(self) -> dict[str, Uptime]:
        """Return windows of which nothing is known."""
        return {name: Uptime(0.0, 0.0, size.total_seconds()) for name, size in WINDOWS.items()}

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Give slots in which nothing is known."""
        return [Uptime(0.0, 0.0, seconds / slots)] * slots


class NullNotifier:
    """Implements the port `News`: there never are any, so each stream ends and is asked for anew.

    Attributes:
        edition: Always 0.
    """

    version = 0

    async def wait_newer(self, version: int) -> int | None:  # noqa: ARG002 - the port's
        """Say that there will be none."""
        return None
