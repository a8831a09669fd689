"""Tasks that run as long as the HTTP application: monitor, history, and notifications."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from litestar import Litestar

from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.app.monitoring.supervisor import keep_running, supervise
from dstack_backend.app.notify.sender import Notifications

__all__ = ["make_lifespan"]

SHUTDOWN_GRACE = 0.5
"""Seconds for the last changes to reach the disk. A disk that hangs must not delay the end."""


def make_lifespan(
    monitor: Monitor,
    clock: Clock,
    history: HistoryLog,
    notify_systemd: Callable[[str], None],
    notifications: Notifications | None = None,
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Return the lifespan of the application."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        checking = partial(supervise, monitor, clock, lambda: notify_systemd("WATCHDOG=1"))
        on_load = notifications.on_load if notifications else None
        work = [checking, partial(history.run, monitor, on_load)]
        if notifications:
            work.append(partial(notifications.run, monitor))
        tasks = [asyncio.create_task(keep_running(each, clock)) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=SHUTDOWN_GRACE)
            for task in tasks:  # again: the first one lets the history save what is left
                task.cancel()

    return lifespan
