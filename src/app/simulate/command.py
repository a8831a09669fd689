"""Runs the simulated DStack, and follows its script.

The first line that it prints is the `DSTACK_URL`. After it comes each line of the script, with the
second in which it was followed.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NoReturn

from dstack_backend.app.server.runner import run_until_signal
from dstack_backend.app.simulate.node import SimulatedNode
from dstack_backend.app.simulate.options import Plan, blaming, read, why
from dstack_backend.app.simulate.script import expected_results, parse, shown
from dstack_backend.testing.simulated_dstack import SimulatedDStack

__all__ = ["run"]

LONGEST_LINE = 4096

_MET_AT = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where one on all of them is met


def run(options: Mapping[str, str]) -> NoReturn:
    """Simulate until a signal or the script ends it; or list the faults.

    Raises:
        OptionError: An option cannot be used.
    """
    if "list-faults" in options:
        rows = (f"{name:32} {result}" for name, result in expected_results().items())
        _say("\n".join(rows))
        sys.exit(0)
    plan = read(options)
    run_until_signal(lambda stop: _simulate(plan, stop))


async def _simulate(plan: Plan, stop: asyncio.Event) -> None:
    node = SimulatedNode(SimulatedDStack(), ended=stop)
    for line in plan.first:
        with blaming(f"--{line.partition(' ')[0]}"):
            await _follow(line, node)
    with blaming("--listen"):
        url = await _listen(node.dstack, plan.place)
    _say(url)
    performance = asyncio.create_task(_perform(plan.script, node))
    ending = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({performance, ending}, return_when=asyncio.FIRST_COMPLETED)
        if performance.done():
            performance.result()
    finally:
        performance.cancel()
        ending.cancel()
        await node.dstack.crash()
        if isinstance(plan.place, Path):
            plan.place.unlink(missing_ok=True)


async def _listen(dstack: SimulatedDStack, place: Path | tuple[str, int]) -> str:
    if isinstance(place, Path):
        if _is_in_use(place):  # asyncio would take the socket away from whoever answers there
            raise ValueError("another process listens there")
        return await dstack.listen_unix(place)
    url = await dstack.listen_tcp(*place)
    connect_address = _MET_AT.get(place[0])
    return f"http://{connect_address}:{url.rpartition(':')[2]}" if connect_address else url


def _is_in_use(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


async def _perform(script: tuple[str, ...] | None, node: SimulatedNode) -> None:
    """Follow the script; what cannot be followed is told, and the next line comes."""
    started = time.monotonic()
    async for line in _lines(script):
        try:
            if await _follow(line, node):
                _say(f"{time.monotonic() - started:8.3f} s  {line.strip()}")
        except (OSError, ValueError) as exc:
            print(f"dstack-backend: {shown(line)}: {why(exc)}", file=sys.stderr)  # noqa: T201
    await node.ended.wait()


async def _lines(script: tuple[str, ...] | None) -> AsyncIterator[str]:
    """Give the lines, those of standard input as they come: a terminal, a pipe or a file."""
    if script is not None:
        for line in script:
            yield line
        return
    while raw := await asyncio.to_thread(sys.stdin.buffer.readline, LONGEST_LINE):
        yield raw.decode(errors="replace")


async def _follow(line: str, node: SimulatedNode) -> bool:
    direction = parse(line)
    if direction:
        await direction(node)
    return direction is not None


def _say(line: str) -> None:
    try:
        print(line, flush=True)  # noqa: T201
    except BrokenPipeError:
        # Whoever wanted only the first lines has gone; Python would try once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
