"""Time, as a port of the app."""

from datetime import datetime
from typing import Protocol

from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Clock", "read"]


class Clock(Protocol):
    """Both clocks, and sleeping."""

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set. Only differences have a meaning."""
        ...

    def utc(self) -> datetime:
        """Return the time of the wall clock, with its zone. It is for display only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; other tasks run meanwhile."""
        ...


def read(clock: Clock) -> Timestamp:
    """Return the present time of both clocks."""
    return Timestamp(clock.monotonic(), clock.utc())
