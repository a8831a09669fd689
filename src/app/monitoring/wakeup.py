"""Waits for the next check: until it is due, or until a hint makes it due."""

import asyncio
import logging

from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.domain.ports import ConnectivityWatcher

__all__ = ["NullWatcher", "Wakeup"]

_log = logging.getLogger(__name__)


class NullWatcher:
    """A connectivity watcher that never gives a hint."""

    async def wait_for_change(self) -> None:
        """Wait forever."""
        await asyncio.Event().wait()


class Wakeup:
    """Listens for hints all the time, so that one that comes during a check is not lost."""

    def __init__(self, clock: Clock, watcher: ConnectivityWatcher) -> None:
        """Start to listen; needs a running event loop."""
        self._clock = clock
        self._watcher = watcher
        self._hint: asyncio.Future[None] = asyncio.ensure_future(self._listen())

    async def wait(self, due: float, earliest_hinted: float) -> bool:
        """Wait for the next check, and return whether a hint caused it.

        Args:
            due: When the next check is due, in seconds on the monotonic clock.
            earliest_hinted: The earliest time for a check that a hint causes.
        """
        pause = asyncio.ensure_future(self._sleep_until(due))
        try:
            await asyncio.wait({pause, self._hint}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
        if not self._hint.done():
            return False
        if error := self._hint.exception():
            _log.error("no more hints; checks continue on schedule", exc_info=error)
            self._hint = asyncio.get_running_loop().create_future()
            return await self.wait(due, earliest_hinted)
        is_hinted = max(self._clock.monotonic(), earliest_hinted) < due
        await self._sleep_until(min(due, earliest_hinted))
        # The check that follows also answers the hints that came until now.
        self._hint = asyncio.ensure_future(self._listen())
        return is_hinted

    def close(self) -> None:
        """Stop listening."""
        self._hint.cancel()

    async def _listen(self) -> None:
        await self._watcher.wait_for_change()

    async def _sleep_until(self, moment: float) -> None:
        await self._clock.sleep(max(0.0, moment - self._clock.monotonic()))
