"""Serves a container: as a process (`run`), or on a running event loop (`serve_on`)."""

import asyncio
import logging
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from dstack_backend import __version__
from dstack_backend.adapters.granian_server import ListenError, event_loop, listen, serve
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.app.container import Container
from dstack_backend.app.server.runner import run_once, run_until_signal

__all__ = ["open_listener", "run", "serve_on"]

_log = logging.getLogger(__name__)


def run(container: Container) -> NoReturn:
    """Serve until SIGTERM, SIGINT or SIGHUP, then end the process with exit code 0.

    The process belongs to the service, see `run_until_signal`. A program that does more in its
    process uses `serve_on`, or mounts `container.http_app()`.

    Raises:
        UserError: The service cannot listen on the address.
    """
    settings = container.settings()
    listener = open_listener(settings)
    set_up_logging(settings.log_level, settings.log_format)
    container.http_app()  # made before the loop runs, so that garbage collection leaves it out
    run_until_signal(lambda stop: serve_on(listener, container, stop), event_loop)


def open_listener(settings: Settings) -> socket.socket:
    """Return the socket that the service listens on. No other process can listen there.

    A name is looked up in a thread: in the main thread it would delay the handling of signals.

    Raises:
        UserError: The service cannot listen on the address.
    """
    with _listen_errors(settings):
        return run_once(asyncio.to_thread(listen, *settings.listen))


async def serve_on(listener: socket.socket, container: Container, stop: asyncio.Event) -> None:
    """Serve on the socket of `open_listener` until `stop` is set.

    Raises:
        UserError: The server ended by itself.
    """
    settings = container.settings()
    app = container.http_app()
    async with app.lifespan():
        _log.info(
            "%s %s answers on %s and checks %s every %g s",
            *(container.identity().service, __version__, settings.listen),
            *(container.source_name(), settings.policy.interval),
        )
        notify_systemd = container.notify_systemd()
        notify_systemd("READY=1")
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: notify_systemd("STOPPING=1"))
        # Without this the server would wait for the clients that read events.
        stopping.add_done_callback(lambda _: container.notifier().close())
        serving = serve(app, listener, stop, container.max_connections())
        (error,) = await asyncio.gather(serving, return_exceptions=True)
        stopping.cancel()
    with _listen_errors(settings):
        if error:
            raise error  # in the lifespan, Litestar would wrap it in an exception group
    _log.info("stopped")


@contextmanager
def _listen_errors(settings: Settings) -> Generator[None]:
    try:
        yield
    except ListenError as exc:
        fault = f"cannot listen on {settings.listen}: {exc}"
        raise setting_error("LISTEN_ADDR", fault, "*:8081") from None
