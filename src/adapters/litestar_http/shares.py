"""How the last 24 hours, 7, 30 and 90 days divide: from one reading of the past."""

from collections.abc import Sequence

from dstack_backend.domain.history import WINDOWS as WINDOWS_BY_NAME
from dstack_backend.domain.history import Uptime
from dstack_backend.domain.ports import HistoryReader

__all__ = ["DAY", "WINDOWS", "last_days", "share"]

DAY = 86_400
WINDOWS = {name: time.days for name, time in WINDOWS_BY_NAME.items()}
"""Days of each window, by its name."""


async def last_days(history: HistoryReader) -> list[Uptime]:
    """Give the last 90 days, one by one, the oldest first.

    Raises:
        HistoryError: The past cannot be read now.
    """
    days = max(WINDOWS.values())
    return await history.timeline(days * DAY, days)


def share(days: Sequence[Uptime], window: str) -> Uptime:
    """Add up the last days of a window."""
    last = days[-WINDOWS[window] :]
    return Uptime(
        sum(day.up_seconds for day in last),
        sum(day.down_seconds for day in last),
        sum(day.unknown_seconds for day in last),
    )
