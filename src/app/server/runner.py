"""Runs an event loop, without waiting for threads: a name look-up may hang in one for 30 s."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from threading import Thread
from typing import Any, NoReturn, TypeVar

__all__ = ["run_once", "run_until_signal"]

FLUSH_TIMEOUT = 0.1
"""Seconds for what is still to be printed. They are used up only where it is not read."""

T = TypeVar("T")


def run_until_signal(
    main: Callable[[asyncio.Event], Awaitable[None]],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> NoReturn:
    """Run `main` with an event that signals set, then end the process with exit code 0.

    The signals are SIGTERM, SIGINT and SIGHUP. One that the parent process has set to be ignored
    stays ignored, as SIGHUP does with nohup.

    All objects that exist before `main` are excluded from garbage collection: modules and the
    application are never garbage, and to walk them stops the event loop for 20 ms or more.
    """

    async def with_signals() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await main(stop)

    gc.freeze()
    new_loop().run_until_complete(with_signals())
    logging.shutdown()
    flush = Thread(target=_flush_output, daemon=True)
    flush.start()
    flush.join(FLUSH_TIMEOUT)
    os._exit(0)


def _flush_output() -> None:
    with contextlib.suppress(OSError):
        sys.stdout.flush()


def run_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own, and return its result."""
    loop = asyncio.new_event_loop()
    result = loop.run_until_complete(coroutine)
    loop.close()
    return result
