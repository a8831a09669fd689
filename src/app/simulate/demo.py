"""The service with a simulated DStack, over real HTTP on loopback."""

import asyncio
import random
import socket
from collections.abc import Mapping
from typing import NoReturn

from msgspec.structs import replace

from dstack_backend.adapters.granian_server import event_loop
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import Settings, load, load_dstack
from dstack_backend.app.container import Container
from dstack_backend.app.server.runner import run_until_signal
from dstack_backend.app.server.serve import open_listener, serve_on
from dstack_backend.testing.simulated_dstack import SimulatedDStack

__all__ = ["run"]

CHANGE_INTERVAL = 5.0
CHANGES_BETWEEN_OUTAGES = 8
OUTAGE = 8.0


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> NoReturn:
    """Serve the demo until a signal ends it. Settings of DStack have no effect.

    Raises:
        UserError: A setting cannot be used.
    """
    settings = load(environ, options)
    listener = open_listener(settings)
    set_up_logging(settings.log_level, settings.log_format)
    run_until_signal(lambda stop: _serve(listener, settings, stop), event_loop)


async def _serve(listener: socket.socket, settings: Settings, stop: asyncio.Event) -> None:
    dstack = SimulatedDStack()
    url = await dstack.listen_tcp()
    container = Container(settings=settings, dstack_settings=load_dstack({}, {"DSTACK_URL": url}))
    base = f"http://{settings.listen.connect_address}"
    text = (
        f"A simulated DStack with eight H200s listens on {url}. Every {CHANGE_INTERVAL:g} s a GPU\n"
        f"is allocated or released; after {CHANGES_BETWEEN_OUTAGES} changes the DStack is gone for"
        f" {OUTAGE:g} s.\n"
        f"  open  {base}/\n  curl  {base}/health\n  curl  {base}/status\n  curl  {base}/metrics\n"
        "Press Ctrl-C to stop."
    )
    # A thread prints: where the output is not read, the demo works all the same.
    greeting = asyncio.create_task(asyncio.to_thread(write_line, text))
    greeting.add_done_callback(lambda _: stop.set() if greeting.exception() else None)
    changes = asyncio.create_task(_change(dstack))
    try:
        await serve_on(listener, container, stop)
        if greeting.done():
            greeting.result()
    finally:
        changes.cancel()
        await dstack.crash()


async def _change(dstack: SimulatedDStack) -> None:
    while True:
        for _ in range(CHANGES_BETWEEN_OUTAGES):
            await asyncio.sleep(CHANGE_INTERVAL)
            gpus = list(dstack.gpus)
            index = random.randrange(len(gpus))  # noqa: S311 - not for cryptography
            gpus[index] = replace(gpus[index], is_free=not gpus[index].is_free)
            dstack.gpus = gpus
        await dstack.crash()
        await asyncio.sleep(OUTAGE)
        await dstack.revive()
