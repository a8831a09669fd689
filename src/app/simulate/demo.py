"""The service against a simulated DStack, so that a person without a GPU host sees the real thing.

Everything goes over real HTTP on loopback. The DStack has eight H200s; every few seconds one of
them changes hands, and once in a while the DStack is gone for some seconds.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import NoReturn

from msgspec.structs import replace

from dstack_backend.adapters.granian_server import event_loop
from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.app.container import Container
from dstack_backend.app.server.runner import run_until_signal
from dstack_backend.app.server.serve import resolve_bind_address, serve_at
from dstack_backend.testing.simulated_dstack import SimulatedDStack

__all__ = ["run"]

CHANGE_EVERY = 5.0
"""Seconds between two changes of one GPU."""

CHANGES_BETWEEN_OUTAGES = 8
OUTAGE = 8.0
"""Seconds that the DStack is gone."""

DEFAULTS = {"LISTEN_ADDR": "127.0.0.1:8080", "CHECK_INTERVAL": "2", "HISTORY": "off"}
"""For a person who tries it: nobody else can reach it, and changes show soon."""


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> NoReturn:
    """Serve the demonstration until a signal ends it.

    Raises:
        UserError: A setting cannot be used.
    """
    given = DEFAULTS | _used({name: value for name, value in environ.items() if value})
    used = _used(options)
    address = resolve_bind_address(
        load(given, used)
    )  # what is wrong is told before anything starts
    run_until_signal(lambda stop: _demonstrate(address, given, used, stop), event_loop)


def _used(settings: Mapping[str, str]) -> dict[str, str]:
    """Leave out how a DStack is reached: the demonstration has its own, over plain HTTP."""
    return {name: text for name, text in settings.items() if not name.startswith("DSTACK_")}


async def _demonstrate(
    address: str, environ: Mapping[str, str], options: Mapping[str, str], stop: asyncio.Event
) -> None:
    dstack = SimulatedDStack()
    url = await dstack.listen_tcp()
    settings = load(environ, options)
    dstack_settings = load_dstack({}, {"DSTACK_URL": url})
    container = Container(settings=settings, dstack_settings=dstack_settings)
    base = f"http://{settings.listen.connect_address}"
    print(  # noqa: T201
        f"A simulated DStack with eight H200s listens on {url}; it is gone for {OUTAGE:g} s after"
        f" every {CHANGE_EVERY * CHANGES_BETWEEN_OUTAGES:g} s.\n"
        f"  open  {base}/\n"
        f"  curl  {base}/health\n"
        f"  curl  {base}/status\n"
        f"  curl  {base}/metrics\n"
        "Ctrl-C ends it.",
        flush=True,
    )
    life = asyncio.create_task(_live(dstack))
    try:
        await serve_at(address, container, stop)
    finally:
        life.cancel()
        await dstack.crash()


async def _live(dstack: SimulatedDStack) -> None:
    chance = random.Random()  # noqa: S311 - which GPU changes hands is no secret
    while True:
        for _ in range(CHANGES_BETWEEN_OUTAGES):
            await asyncio.sleep(CHANGE_EVERY)
            gpus = list(dstack.gpus)
            which = chance.randrange(len(gpus))
            gpus[which] = replace(gpus[which], is_free=not gpus[which].is_free)
            dstack.gpus = gpus
        await dstack.crash()
        await asyncio.sleep(OUTAGE)
        await dstack.revive()
