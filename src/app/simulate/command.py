"""Runs a simulated DStack and its script.

The first line of the output is the `DSTACK_URL`. Each line of the script follows when it has run,
with the seconds since the start.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.parsers import ListenAddress, quote
from dstack_backend.app.server.runner import run_until_signal
from dstack_backend.app.simulate.options import (
    SimulateOptions,
    error_text,
    parse_options,
    user_errors,
)
from dstack_backend.app.simulate.script import SimulatedNode, expected_results, parse_line
from dstack_backend.testing.simulated_dstack import SimulatedDStack

__all__ = ["run"]

MAX_LINE = 4096


def run(options: Mapping[str, str]) -> NoReturn:
    """Simulate until a signal or the script ends it; or list the faults.

    Raises:
        UserError: An option cannot be used.
    """
    if "list-faults" in options:
        write_line("\n".join(f"{name:32} {end}" for name, end in expected_results().items()))
        sys.exit(0)
    parsed = parse_options(options)
    run_until_signal(lambda stop: _simulate(parsed, stop))


async def _simulate(options: SimulateOptions, stop: asyncio.Event) -> None:
    node = SimulatedNode(SimulatedDStack(), ended=stop)
    for line in options.setup:
        with user_errors(f"--{line.partition(' ')[0]}"):
            await _run_line(line, node)
    with user_errors("--listen"):
        url = await _listen(node.dstack, options.listen)
    write_line(url)
    script = asyncio.create_task(_run_script(options.script, node))
    script.add_done_callback(lambda _: stop.set())
    try:
        await stop.wait()
        if script.done():
            script.result()  # raises where the script failed unexpectedly
    finally:
        script.cancel()
        await node.dstack.crash()
        if isinstance(options.listen, Path):
            options.listen.unlink(missing_ok=True)


async def _listen(dstack: SimulatedDStack, listen: Path | ListenAddress) -> str:
    if isinstance(listen, Path):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(listen)) == 0:  # asyncio would remove the socket
                raise ValueError("another process listens there")
        return await dstack.listen_unix(listen)
    url = await dstack.listen_tcp(listen.host, listen.port)
    port = int(url.rpartition(":")[2])
    return f"http://{ListenAddress(listen.host, port).connect_address}"


async def _run_script(script: tuple[str, ...] | None, node: SimulatedNode) -> None:
    """Run the lines. One that fails is reported, and the next one runs."""
    started = time.monotonic()
    lines = iter(_read_line, "") if script is None else iter(script)
    while (line := await asyncio.to_thread(next, lines, None)) is not None:
        try:
            if await _run_line(line, node):
                write_line(f"{time.monotonic() - started:8.3f} s  {line.strip()}")
        except (OSError, ValueError) as exc:
            message = f"dstack-backend: {quote(line.strip())}: {error_text(exc)}"
            print(message, file=sys.stderr)  # noqa: T201 - a command's output
    await node.ended.wait()


def _read_line() -> str:
    return sys.stdin.buffer.readline(MAX_LINE).decode(errors="replace")


async def _run_line(line: str, node: SimulatedNode) -> bool:
    """Run one line, and return whether it was a command."""
    command = parse_line(line)
    if command is None:
        return False
    result = command(node)
    if result is not None:
        await result
    return True
