"""Runs the service until a signal ends it."""

import asyncio
import logging
from typing import NoReturn

from dstack_backend import __version__
from dstack_backend.adapters.granian_server import ListenError, event_loop, free_address, serve
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.app.container import Container
from dstack_backend.app.errors import UserError
from dstack_backend.app.monitoring.notifier import Notifier
from dstack_backend.app.server.runner import run_once, run_until_signal

__all__ = ["resolve_bind_address", "run", "serve_at"]

_log = logging.getLogger(__name__)


def run(container: Container) -> NoReturn:
    """Serve what a container provides; end the process with 0 after SIGTERM or SIGINT.

    Raises:
        UserError: The address cannot be listened on.
    """
    address = resolve_bind_address(container.settings())
    run_until_signal(lambda stop: serve_at(address, container, stop), event_loop)


def resolve_bind_address(settings: Settings) -> str:
    """Give the numeric address to listen on, after it has been seen free.

    A signal does not wait for the look-up of a name: it sits in a thread, for Python's handlers run
    in the main thread alone, and only between two steps of Python.

    Raises:
        UserError: It cannot be listened on.
    """
    listen = settings.listen
    try:
        return run_once(asyncio.to_thread(free_address, listen.host, listen.port))
    except ListenError as exc:
        raise _cannot_listen(settings, exc) from None


async def serve_at(address: str, container: Container, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. See `run`.

    Raises:
        UserError: The address was taken in the meantime.
    """
    settings = container.settings()
    set_up_logging(settings.log_level, settings.log_format)
    app = container.http_app()
    lost_race = None
    async with app.lifespan():
        ending = asyncio.create_task(_end_streams(stop, container.notifier()))
        _log.info(
            "%s %s answers on %s and checks %s every %g s",
            container.identity().service,
            __version__,
            settings.listen,
            container.source_name(),
            settings.policy.interval,
        )
        try:
            await serve(app, address, settings.listen.port, stop)
        except ListenError as exc:
            lost_race = exc  # Litestar's lifespan would wrap it in an exception group
        ending.cancel()
    if lost_race:
        raise _cannot_listen(settings, lost_race)
    _log.info("stopped")


async def _end_streams(stop: asyncio.Event, news: Notifier) -> None:
    """Let go of those who listen to events; the server would wait for them."""
    await stop.wait()
    news.close()


def _cannot_listen(settings: Settings, why: ListenError) -> UserError:
    fault = f"cannot listen on {settings.listen}: {why}"
    return setting_error("LISTEN_ADDR", fault, "0.0.0.0:8081")
