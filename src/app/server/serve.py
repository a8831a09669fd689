"""Serves a container: as a process (`run`), or on a running event loop (`serve_at`)."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from dstack_backend import __version__
from dstack_backend.adapters.granian_server import ListenError, event_loop, free_address, serve
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.app.container import Container
from dstack_backend.app.server.runner import run_once, run_until_signal

__all__ = ["resolve_bind_address", "run", "serve_at"]

_log = logging.getLogger(__name__)


def run(container: Container) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then end the process with exit code 0.

    The process belongs to the service, see `run_until_signal`. A program that does more in its
    process uses `serve_at`, or mounts `container.http_app()`.

    Raises:
        UserError: The service cannot listen on the address.
    """
    settings = container.settings()
    address = resolve_bind_address(settings)
    set_up_logging(settings.log_level, settings.log_format)
    container.http_app()  # made before the loop runs, so that garbage collection leaves it out
    run_until_signal(lambda stop: serve_at(address, container, stop), event_loop)


def resolve_bind_address(settings: Settings) -> str:
    """Return the numeric address to listen on, after a test that it is free.

    A name is looked up in a thread: in the main thread it would delay the handling of signals.

    Raises:
        UserError: The service cannot listen on the address.
    """
    listen = settings.listen
    with _listen_errors(settings):
        return run_once(asyncio.to_thread(free_address, listen.host, listen.port))


async def serve_at(address: str, container: Container, stop: asyncio.Event) -> None:
    """Serve at the address from `resolve_bind_address` until `stop` is set.

    Raises:
        UserError: The address was taken in the meantime.
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
        serving = serve(app, address, settings.listen.port, stop)
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
        raise setting_error("LISTEN_ADDR", fault, "0.0.0.0:8081") from None
