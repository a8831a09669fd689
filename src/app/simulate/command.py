"""The command `simulate`: parses its options, and runs a simulated DStack with its script.

The first line of the output is the `DSTACK_URL`. Each line of the script follows when it has run,
with the seconds since the start.
"""

import asyncio
import errno
import os
import socket
import stat
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from dstack_backend.app.cli.output import write_error, write_line
from dstack_backend.app.config.parsers import ListenAddress, parse_host_port, quote
from dstack_backend.app.errors import UserError
from dstack_backend.app.server.runner import run_until_signal
from dstack_backend.app.simulate.node import SimulatedNode
from dstack_backend.app.simulate.script import expected_results, parse_line
from dstack_backend.testing.simulated_dstack import SimulatedDStack

__all__ = ["SimulateOptions", "parse_options", "run"]

SETUP = ("gpus", "free", "product-id", "nvswitches", "token", "latency", "fault")
"""Options that are commands of the script. They run in this order before it listens."""

DEFAULT_LISTEN = "127.0.0.1:19060"  # the port of DStack's guides, for this machine alone
MAX_SOCKET_PATH = 107  # bytes, see unix(7)
MAX_SCRIPT = 1024 * 1024
MAX_LINE = 4096
WRITE_GRACE = 0.2
"""Seconds at the end for the last line of the output."""


class SimulateOptions(NamedTuple):
    """What the options mean.

    Attributes:
        setup: Lines of the script that run before it listens.
        script: Lines that run from then on; `None`: those of standard input.
    """

    setup: tuple[str, ...]
    listen: Path | ListenAddress
    script: tuple[str, ...] | None


def run(_environ: Mapping[str, str], options: Mapping[str, str]) -> NoReturn:
    """Simulate until a signal or the script ends it; or list the faults.

    Raises:
        UserError: An option cannot be used.
    """
    if "list-faults" in options:
        write_line("\n".join(f"{name:32} {end}" for name, end in expected_results().items()))
        sys.exit(0)
    parsed = parse_options(options)
    run_until_signal(lambda stop: _simulate(parsed, stop))


def parse_options(options: Mapping[str, str]) -> SimulateOptions:
    """Parse the options, by their names without dashes.

    Raises:
        UserError: One of them cannot be used.
    """
    setup = {name: f"{name} {options[name]}" for name in SETUP if name in options}
    for name, line in setup.items():
        with _user_errors(f"--{name}"):
            parse_line(line)
    with _user_errors("--listen", f"{DEFAULT_LISTEN} or unix:/tmp/vmm.sock"):
        listen = _parse_listen(options.get("listen", DEFAULT_LISTEN))
    with _user_errors("--script"):
        script = _read_script(options.get("script"))
    return SimulateOptions(tuple(setup.values()), listen, script)


def _parse_listen(text: str) -> Path | ListenAddress:
    if not text.startswith("unix:"):
        return parse_host_port(text, min_port=0)
    path = Path(text.removeprefix("unix:").removeprefix("//"))
    if not path.is_absolute():
        raise ValueError("the path of the socket is not absolute")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ValueError(f"the path of the socket is longer than {MAX_SOCKET_PATH} bytes")
    return path


def _read_script(name: str | None) -> tuple[str, ...] | None:
    """Read a file's lines, and parse all of them before the first one runs."""
    if name == "-":
        return None
    if name is None:
        return ()
    if not stat.S_ISREG(Path(name).stat().st_mode):
        raise ValueError("not a regular file; use - to read lines from standard input")
    with Path(name).open("rb") as file:
        lines = file.read(MAX_SCRIPT).decode(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        with _user_errors(f"--script, line {number}"):
            parse_line(line)
    return tuple(lines)


async def _simulate(options: SimulateOptions, stop: asyncio.Event) -> None:
    node = SimulatedNode(SimulatedDStack(), ended=stop)
    for line in options.setup:
        with _user_errors(f"--{line.partition(' ')[0]}"):
            await _run_line(line, node)
    with _user_errors("--listen"):
        url = await _listen(node.dstack, options.listen)
    script = asyncio.create_task(_run_script(url, options.script, node))
    script.add_done_callback(lambda _: stop.set())
    try:
        await stop.wait()
        await asyncio.wait({script}, timeout=WRITE_GRACE)
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


async def _run_script(url: str, script: tuple[str, ...] | None, node: SimulatedNode) -> None:
    """Print the URL and run the lines. One that fails is reported, and the next one runs.

    Threads print: where the output is not read, the script waits, and the node answers.
    """
    started = time.monotonic()
    await asyncio.to_thread(write_line, url)
    lines = iter(_read_line, "") if script is None else iter(script)
    while (line := await asyncio.to_thread(next, lines, None)) is not None:
        try:
            if await _run_line(line, node):
                text = f"{time.monotonic() - started:8.3f} s  {line.strip()}"
                await asyncio.to_thread(write_line, text)
        except (OSError, ValueError) as exc:
            text = f"{quote(line.strip())}: {_error_text(exc)}"
            await asyncio.to_thread(write_error, text)
    await node.ended.wait()


def _read_line() -> str:
    return sys.stdin.buffer.readline(MAX_LINE).decode(errors="replace")


async def _run_line(line: str, node: SimulatedNode) -> bool:
    """Run one line, and return whether it was a command."""
    command = parse_line(line)
    if command and (result := command(node)) is not None:
        await result
    return command is not None


@contextmanager
def _user_errors(subject: str, example: str | None = None) -> Generator[None]:
    """Convert errors of the system and of parsers into a `UserError` about `subject`."""
    try:
        yield
    except (OSError, ValueError) as exc:
        raise UserError(subject, _error_text(exc), example) from None


def _error_text(exc: OSError | ValueError) -> str:
    """Return the text of an error without the address that asyncio repeats in its own."""
    if isinstance(exc, (socket.gaierror, UnicodeError)):
        return "host not found"
    if isinstance(exc, OSError):
        # From Python 3.13 on asyncio omits the number where it can bind none of the addresses.
        return os.strerror(exc.errno or errno.EADDRNOTAVAIL).lower()
    return str(exc)
