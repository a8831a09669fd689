"""What lives as long as the HTTP application: the supervised checking loop, and the recorder."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar

from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.monitoring.supervisor import supervise

__all__ = ["make_lifespan"]

SHUTDOWN_GRACE = 0.5
"""Seconds for the last changes to reach the disk; one that hangs must not hold up the end."""


def make_lifespan(
    monitor: Monitor, clock: Clock, history: HistoryLog
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Make the lifespan: check from the first moment on, stop at the end."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        tasks = {
            asyncio.create_task(supervise(monitor, clock)),
            asyncio.create_task(history.run()),
        }
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=SHUTDOWN_GRACE)
            for task in tasks:
                task.cancel()

    return lifespan
