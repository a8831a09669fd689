"""Time, as a port of the app."""

from datetime import datetime
from typing import Protocol

from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Clock", "read"]


class Clock(Protocol):
    """The clocks that the app reads, and the way it waits."""

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets; only differences mean anything."""
        ...

    def utc(self) -> datetime:
        """The wall clock's time, with its zone; for showing only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let others work for so many seconds."""
        ...


def read(clock: Clock) -> Timestamp:
    """Read both clocks at once."""
    return Timestamp(clock.monotonic(), clock.utc())
