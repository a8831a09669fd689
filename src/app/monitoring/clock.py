"""Time, as a port of the app."""

import asyncio
from datetime import datetime
from typing import Any, Protocol

from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Clock", "read", "wait_event"]


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


async def wait_event(event: asyncio.Event, seconds: float | None, clock: Clock) -> None:
    """Wait for an event, at most so many seconds; `None` for any time."""
    waiting: set[asyncio.Future[Any]] = {asyncio.ensure_future(event.wait())}
    if seconds is not None:
        waiting.add(asyncio.ensure_future(clock.sleep(seconds)))
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
