"""Waits for the next check: until it is due, or until a hint makes it due."""

import asyncio
import logging

from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.domain.ports import ConnectivityWatcher

__all__ = ["NullWatcher", "Wakeup"]

_log = logging.getLogger(__name__)


class NullWatcher:
    """A presence that never gives a hint."""

    async def wait_for_change(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()


class Wakeup:
    """Listens for hints all the time, so that one that comes during a check is not lost."""

    def __init__(self, clock: Clock, watcher: ConnectivityWatcher) -> None:
        """Begin to listen; needs a running event loop."""
        self._clock = clock
        self._presence = watcher
        self._hint: asyncio.Future[None] = asyncio.ensure_future(watcher.wait_for_change())

    async def wait(self, due: float, after_hint: float) -> None:
        """Wait.

        Args:
            due: When the next check is due, in seconds on the monotonic clock.
            after_hint: The earliest moment for a check that a hint asks for.
        """
        pause = asyncio.ensure_future(self._sleep_until(due))
        try:
            await asyncio.wait({pause, self._hint}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
        if self._hint.done():
            # Whatever else is hinted at until then, the check that follows answers it.
            await self._sleep_until(min(due, after_hint))
            self._listen_again(self._hint.exception())

    def close(self) -> None:
        """Stop listening."""
        self._hint.cancel()

    async def _sleep_until(self, moment: float) -> None:
        await self._clock.sleep(max(0.0, moment - self._clock.monotonic()))

    def _listen_again(self, error: BaseException | None) -> None:
        if error:
            _log.error("no hints any more, checks go on by the clock", exc_info=error)
            self._hint = asyncio.get_running_loop().create_future()
        else:
            self._hint = asyncio.ensure_future(self._presence.wait_for_change())
