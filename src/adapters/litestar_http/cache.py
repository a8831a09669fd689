"""A single-flight cache with a time to live."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlightCache"]

T = TypeVar("T")


class SingleFlightCache(Generic[T]):
    """Caches one value. Concurrent callers share one computation of it."""

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty. A value is valid for `ttl` seconds from the start of its computation."""
        self._ttl = ttl
        self._clock = clock
        self._key: Hashable = None
        self._started = 0.0
        self._task: asyncio.Task[T] | None = None

    async def get(self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the cached value; compute it where it is too old or has another key."""
        if self._task is None or key != self._key or not self._is_valid(self._task):
            self._task = asyncio.create_task(compute())
            self._key, self._started = key, self._clock()
        # A caller that is cancelled must not cancel the computation of the others.
        return await asyncio.shield(self._task)

    def _is_valid(self, task: "asyncio.Task[T]") -> bool:
        failed = task.done() and (task.cancelled() or task.exception() is not None)
        return not failed and self._clock() - self._started < self._ttl
