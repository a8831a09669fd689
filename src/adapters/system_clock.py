"""The machine's clocks."""

import asyncio
import time
from datetime import UTC, datetime

__all__ = ["SystemClock"]


class SystemClock:
    """Monotonic time, wall time and sleep from the operating system and asyncio."""

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Return the wall clock's time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait, and let other tasks run."""
        await asyncio.sleep(seconds)
