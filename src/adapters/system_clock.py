"""The machine's clocks."""

import asyncio
import time
from datetime import UTC, datetime

__all__ = ["SystemClock"]


class SystemClock:
    """Monotonic time, wall time and sleep, as the operating system and asyncio give them."""

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The wall clock's time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let others work for so many seconds."""
        await asyncio.sleep(seconds)
