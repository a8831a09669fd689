"""Keeps background tasks running, and announces what no check of the monitor reports."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.app.monitoring.monitor import Monitor

__all__ = ["keep_running", "supervise"]

_log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at the loop, and before a task is started again."""


async def keep_running(work: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Do work that has no end until cancelled. It is started again where it raises."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever it is, the service must not go on without it
            # A record has the time: of a year that Python cannot represent, logging raises as well.
            with contextlib.suppress(Exception):
                _log.exception("a background task failed; it starts again in 1 s")
        await clock.sleep(INTERVAL)


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
