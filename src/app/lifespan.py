"""What lives as long as the HTTP application: the supervised checking loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar

from dstack_backend.app.clock import Clock
from dstack_backend.app.monitor import Monitor
from dstack_backend.app.supervisor import supervise

__all__ = ["checking"]


def checking(
    monitor: Monitor, clock: Clock
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Make the lifespan: check from the first moment on, stop at the end."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        loop = asyncio.create_task(supervise(monitor, clock))
        try:
            yield
        finally:
            loop.cancel()
            await asyncio.wait({loop})

    return lifespan
