"""Runs the service until a signal ends it."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from dstack_backend import __version__
from dstack_backend.adapters.granian_server import ListenError, event_loop, free_address, serve
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.container import Container
from dstack_backend.app.settings import SettingError, Settings

__all__ = ["claim_address", "run", "run_until_signal", "serve_at"]

_log = logging.getLogger(__name__)


def run(settings: Settings) -> NoReturn:
    """Serve what `settings` say; end the process with 0 after SIGTERM or SIGINT.

    Raises:
        SettingError: The address cannot be listened on.
    """
    address = claim_address(settings)
    run_until_signal(lambda stop: serve_at(address, settings, stop))


def claim_address(settings: Settings) -> str:
    """Give the numeric address to listen on, after it has been seen free.

    Raises:
        SettingError: It cannot be listened on.
    """
    try:
        return free_address(settings.listen.host, settings.listen.port)
    except ListenError as exc:
        raise _cannot_listen(settings, exc) from None


async def serve_at(address: str, settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Raises:
        SettingError: The address was taken in the meantime.
    """
    set_up_logging(settings.log_level, settings.log_format)
    face = Container(settings=settings).http_face()
    lost_race = None
    async with face.lifespan():
        _log.info(
            "dstack-backend %s answers on %s and asks DStack at %s every %g s",
            __version__,
            settings.listen,
            settings.dstack.shown,
            settings.policy.interval,
        )
        try:
            await serve(face, address, settings.listen.port, stop)
        except ListenError as exc:
            lost_race = exc  # Litestar's lifespan would wrap it in an exception group
    if lost_race:
        raise _cannot_listen(settings, lost_race)
    _log.info("stopped")


def _cannot_listen(settings: Settings, why: ListenError) -> SettingError:
    fault = f"cannot listen on {settings.listen}: {why}"
    return SettingError("LISTEN_ADDR", fault, "0.0.0.0:8081")


def run_until_signal(main: Callable[[asyncio.Event], Awaitable[None]]) -> NoReturn:
    """Run `main` on a loop of its own and end the process; a signal sets the event it is given.

    The process ends without waiting for threads: a name look-up that hangs sits in one, for up to
    half a minute, and cannot be interrupted.
    """

    async def with_signals() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await main(stop)

    event_loop().run_until_complete(with_signals())
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
