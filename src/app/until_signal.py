"""Runs something until a signal ends the process."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

__all__ = ["run_until_signal"]


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
