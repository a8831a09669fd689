"""Asks the nodes once and prints their rows, or follows them until a signal."""

import asyncio
import os
import shutil
import ssl
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial

from msgspec.json import encode
from msgspec.structs import replace

from dstack_backend.adapters.httpx_dstack import ssl_context
from dstack_backend.adapters.httpx_dstack.errors import failure_from
from dstack_backend.adapters.httpx_status import NodeClient
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.errors import UserError
from dstack_backend.app.server.runner import run_once, run_until_signal
from dstack_backend.app.status.addresses import NodeAddress, read_addresses
from dstack_backend.app.status.rows import NodeRow, StatusOutput, exit_code
from dstack_backend.app.status.table import as_drawing, as_text
from dstack_backend.app.status.watch import Watch, ask_all

__all__ = ["run"]

LOOKUPS = 64
"""Names that are looked up at once. A look-up that hangs takes a thread for up to 30 s."""

TICK = 1.0
"""Seconds after which a terminal is drawn again: durations grow, and its size may have changed."""

CLOSE_TIMEOUT = 0.5
"""Seconds for the last drawing. They are used up only where it is not read."""

# Of xterm, in every terminal that is in use: the screen for full-screen programs, and the cursor.
_OPEN_SCREEN, _CLOSE_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Print the status of the nodes; with `watch`, until a signal.

    Raises:
        UserError: An address cannot be used, or the output cannot be written.
    """
    addresses = read_addresses(environ, options)
    is_json = "json" in options
    if "watch" in options:
        run_until_signal(lambda stop: _watch(addresses, stop, is_json=is_json))
    rows = run_once(_ask(addresses))
    now, size = SystemClock().utc(), (_columns(), None)
    is_drawing = _is_drawing(is_json=is_json)
    text = as_drawing(rows, now, size) if is_drawing else _as_lines(rows, now, is_json=is_json)
    write_line(text, is_safe=is_drawing)
    return exit_code(rows)


def _client(addresses: Sequence[NodeAddress]) -> NodeClient:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(LOOKUPS))
    is_tls = any(each.url.startswith("https:") for each in addresses)
    return NodeClient(failure_from, tls=_tls_context() if is_tls else None)


def _tls_context() -> ssl.SSLContext:
    """Return a context that trusts the public authorities, and those of the system."""
    try:
        context = ssl_context()
    except ValueError as exc:
        raise UserError("https://", str(exc)) from None
    context.load_default_certs()
    return context


def _is_drawing(*, is_json: bool) -> bool:
    """Return whether the output is a terminal that can be drawn on; an editor's is `dumb`."""
    return not is_json and sys.stdout.isatty() and os.environ.get("TERM") not in (None, "dumb")


async def _ask(addresses: Sequence[NodeAddress]) -> list[NodeRow]:
    async with _client(addresses) as client:
        return await ask_all(client, addresses)


async def _watch(addresses: Sequence[NodeAddress], stop: asyncio.Event, *, is_json: bool) -> None:
    is_drawing = _is_drawing(is_json=is_json)
    async with _client(addresses) as client:
        watch = Watch(client, addresses, SystemClock().utc)
        output = _Screen(watch) if is_drawing else _Lines(watch, is_json=is_json)
        running = asyncio.create_task(watch.run(output.draw, TICK if is_drawing else None))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()  # raises where the output cannot be written
        running.cancel()
        await output.close()


class _Output:
    """Prints in a thread, in order: a signal ends the watch also while the output is not read."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._thread = ThreadPoolExecutor(1)

    async def _write(self, text: str, *, is_safe: bool = False, end: str = "\n") -> bool:
        write = partial(write_line, text, is_safe=is_safe, end=end)
        return await asyncio.get_running_loop().run_in_executor(self._thread, write)


class _Screen(_Output):
    """Redraws in place. The last drawing stays after the end."""

    _is_open = False

    async def draw(self) -> bool:
        size = shutil.get_terminal_size()
        # A line is cleared before it is written: after its last column that would erase the latter.
        text = self._text((size.columns, size.lines)).replace("\n", f"\n{_CLEAR_LINE}")
        start = "" if self._is_open else _OPEN_SCREEN
        self._is_open = True
        frame = f"{start}{_HOME}{_CLEAR_LINE}{text}\n{_CLEAR_REST}"
        return await self._write(frame, is_safe=True, end="")

    async def close(self) -> None:
        if self._is_open:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._write(_CLOSE_SCREEN + self._text((_columns(), None)), is_safe=True)

    def _text(self, size: tuple[int, int | None]) -> str:
        rows = self._watch.rows
        pending = len(self._watch.addresses) - len(rows)
        return as_drawing(rows, SystemClock().utc(), size, pending=pending)


class _Lines(_Output):
    """Prints all rows again when one has changed, from when each is known."""

    def __init__(self, watch: Watch, *, is_json: bool) -> None:
        super().__init__(watch)
        self._is_json = is_json
        self._printed: list[NodeRow] = []

    async def draw(self) -> bool:
        rows = self._watch.rows
        # The uptime changes with time alone.
        essence = [replace(each, uptime_24h=None, uptime_30d=None) for each in rows]
        if len(rows) < len(self._watch.addresses) or essence == self._printed:
            return True
        text = _as_lines(rows, SystemClock().utc(), is_json=self._is_json)
        separator = "\n" if self._printed and not self._is_json else ""
        self._printed = essence
        return await self._write(separator + text)

    async def close(self) -> None:
        """Print no more: what is printed is complete."""


def _as_lines(rows: list[NodeRow], now: datetime, *, is_json: bool) -> str:
    if is_json:
        return encode(StatusOutput(now, exit_code(rows), rows)).decode()
    return as_text(rows, now)


def _columns() -> int:
    return shutil.get_terminal_size().columns
