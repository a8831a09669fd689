"""Makes something once for all who ask for it at nearly the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["SingleFlightCache"]

T = TypeVar("T")


class SingleFlightCache(Generic[T]):
    """Remembers what was made last, for some seconds, or until its mark is another."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing.

        Args:
            seconds: How long a thing is good for, from the moment at which its making began.
            clock: Gives seconds.
        """
        self._seconds = seconds
        self._clock = clock
        self._mark: Hashable = None
        self._begun = 0.0
        self._task: asyncio.Task[T] | None = None

    async def get(self, mark: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Give what was made with this mark, or make it."""
        if self._task is None or mark != self._mark or not self._is_good(self._task):
            self._task = asyncio.ensure_future(_call(make))
            self._mark, self._begun = mark, self._clock()
        # Whoever goes away in the meantime must not take it from the others.
        return await asyncio.shield(self._task)

    def _is_good(self, task: "asyncio.Task[T]") -> bool:
        failed = task.done() and (task.cancelled() or task.exception() is not None)
        return not failed and self._clock() - self._begun < self._seconds


async def _call(make: Callable[[], Awaitable[T]]) -> T:
    return await make()
