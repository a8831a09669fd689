"""What lives as long as the HTTP application: the supervised checking loop, and the recorder."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar

from dstack_backend.app.clock import Clock
from dstack_backend.app.monitor import Monitor
from dstack_backend.app.recorder import Recorder
from dstack_backend.app.supervisor import supervise

__all__ = ["checking"]

LAST_WORDS = 0.5
"""Seconds for the last changes to reach the disk; one that hangs must not hold up the end."""


def checking(
    monitor: Monitor, clock: Clock, recorder: Recorder
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Make the lifespan: check from the first moment on, stop at the end."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        tasks = {
            asyncio.create_task(supervise(monitor, clock)),
            asyncio.create_task(recorder.run()),
        }
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=LAST_WORDS)
            for task in tasks:
                task.cancel()

    return lifespan
