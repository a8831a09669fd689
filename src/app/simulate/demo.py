"""The service with a simulated DStack, over real HTTP on loopback."""

import asyncio
import itertools
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from msgspec.structs import replace

from dstack_backend.adapters.granian_server import event_loop
from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import Settings, load, load_dstack
from dstack_backend.app.container import Container
from dstack_backend.app.server.runner import run_until_signal
from dstack_backend.app.server.serve import open_listener, serve_on
from dstack_backend.domain.gpu import Gpu
from dstack_backend.testing.simulated_dstack import SimulatedDStack

__all__ = ["listings", "run"]

CHANGE_INTERVAL = 5.0
CHANGES_BETWEEN_OUTAGES = 8
LOSS_AFTER, RETURN_AFTER = 1, 7
"""Changes. A GPU is missing between them, after every other outage."""

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
        "After every other outage a GPU is lost for"
        f" {(RETURN_AFTER - LOSS_AFTER) * CHANGE_INTERVAL:g} s.\n"
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
    for loses_gpu in itertools.cycle((False, True)):
        for gpus in listings(dstack.gpus, loses_gpu=loses_gpu):
            await asyncio.sleep(CHANGE_INTERVAL)
            dstack.gpus = gpus
        await dstack.crash()
        await asyncio.sleep(OUTAGE)
        await dstack.revive()


def listings(gpus: Sequence[Gpu], *, loses_gpu: bool) -> Iterator[Sequence[Gpu]]:
    """Return the GPUs after each change between two outages. All of them are in the last one."""
    lost: list[Gpu] = []
    for number in range(1, CHANGES_BETWEEN_OUTAGES + 1):
        first, *others = random.sample(gpus, len(gpus))
        listed = [replace(first, is_free=not first.is_free), *others]
        if loses_gpu and number == LOSS_AFTER:
            lost.append(listed.pop())
        if number == RETURN_AFTER:
            listed += lost
        gpus = sorted(listed, key=lambda gpu: gpu.slot)
        yield gpus
