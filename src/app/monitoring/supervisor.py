"""Keeps the loop of the monitor running, and announces what no check reports."""

import asyncio
import logging
from collections.abc import Callable

from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.app.monitoring.monitor import Monitor

__all__ = ["supervise"]

_log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at the loop, and before it is started again."""


async def supervise(monitor: Monitor, clock: Clock, on_running: Callable[[], None]) -> None:
    """Run the monitor until cancelled. Its loop is started again whenever it ends.

    `on_running` is called every second while the loop really checks.
    """
    while True:
        loop = asyncio.create_task(monitor.run())
        try:
            await _watch(loop, monitor, clock, on_running)
        finally:
            await _cancel(loop)
        await clock.sleep(INTERVAL)


async def _watch(
    loop: asyncio.Task[None], monitor: Monitor, clock: Clock, on_running: Callable[[], None]
) -> None:
    while not loop.done():
        pause = asyncio.ensure_future(clock.sleep(INTERVAL))
        try:
            await asyncio.wait({loop, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(pause)
        monitor.announce()
        if not loop.done() and monitor.is_running():
            on_running()
    error = None if loop.cancelled() else loop.exception()
    _log.error("the checking loop ended; it starts again in 1 s", exc_info=error)


async def _cancel(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
