"""Runs something on an event loop whose end waits for no thread."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

__all__ = ["run_once", "run_until_signal"]

T = TypeVar("T")


def run_until_signal(
    main: Callable[[asyncio.Event], Awaitable[None]],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> NoReturn:
    """Run `main` on a loop of its own and end the process; a signal sets the event it is given.

    The process ends without waiting for threads: a name look-up that hangs sits in one, for up to
    half a minute, and cannot be interrupted.
    """

    async def with_signals() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await main(stop)

    new_loop().run_until_complete(with_signals())
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def run_once(work: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine and give its result; `asyncio.run` would wait for a look-up that hangs."""
    return asyncio.new_event_loop().run_until_complete(work)
