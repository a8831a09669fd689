"""Seconds until `/health` tells of a crash, of a hang and of a return, with default settings."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.harness import DESIGNS, get, service
from dstack_backend.testing.simulated_dstack import Remote, Request, SimulatedDStack, in_thread

__all__ = ["table"]

CRASHES = 10
HANGS = 3
LONGEST = 60.0
PAUSE = 1.7
"""Seconds between two events: longer than the second for which a hint has to wait."""


def table() -> list[list[str]]:
    """Measure each design over TCP and over a unix socket, side by side: mostly it is waiting."""
    heading = [
        "design",
        "transport",
        "crash: median, worst",
        "return: median, worst",
        "hang: worst",
    ]
    cases = [(design, transport) for design in DESIGNS for transport in ("TCP", "unix socket")]
    with ThreadPoolExecutor(len(cases)) as pool:
        return [heading, *pool.map(_row, *zip(*cases, strict=True))]


def _row(design: str, transport: str) -> list[str]:
    dstack = SimulatedDStack()
    with tempfile.TemporaryDirectory() as folder:
        path = None if transport == "TCP" else Path(folder) / "vmm.sock"
        with in_thread(dstack, path) as remote, service(design, remote.url) as running:
            return [design, transport, *_measure(remote, dstack, running.url)]


def _measure(remote: Remote, dstack: SimulatedDStack, url: str) -> list[str]:
    _seconds_until(url, 200, lambda: None)
    crashes: list[float] = []
    returns: list[float] = []
    for number in range(CRASHES):
        time.sleep(PAUSE)
        crashes.append(_seconds_until(url, 503, remote.crash))
        time.sleep(PAUSE + number % 4)
        returns.append(_seconds_until(url, 200, remote.revive))
    hangs: list[float] = []
    for number in range(HANGS):
        time.sleep(PAUSE + 3 * number)
        hangs.append(_seconds_until(url, 503, lambda: _behave(dstack, _hang)))
        _behave(dstack, None)
        _seconds_until(url, 200, lambda: None)
    return [_both(crashes), _both(returns), f"{max(hangs):.1f} s"]


def _behave(
    dstack: SimulatedDStack,
    behaviour: Callable[[Request, asyncio.StreamWriter], asyncio.Future[None]] | None,
) -> None:
    dstack.behaviour = behaviour


def _hang(_: Request, __: asyncio.StreamWriter) -> asyncio.Future[None]:
    return asyncio.ensure_future(asyncio.sleep(3600))


def _both(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms, {max(seconds) * 1000:.0f} ms"


def _seconds_until(url: str, code: int, event: Callable[[], None]) -> float:
    begin = time.monotonic()
    event()
    while get(url)[0] != code:
        if time.monotonic() - begin > LONGEST:
            raise RuntimeError(f"{code} has not come within {LONGEST:g} s")
        time.sleep(0.01)
    return time.monotonic() - begin
