"""Seconds until `/health` shows a crash, a return and a hang of DStack, with default settings."""

import asyncio
import random
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
TIMEOUT = 60.0
LEAST_PAUSE, LONGEST_PAUSE = 1.2, 6.2
"""Seconds between two events, at random: more than the second that two hinted checks are apart."""


def table() -> list[list[str]]:
    """Measure each design over TCP and over a unix socket, all at the same time."""
    heading = ["design", "transport", "crash: median, worst", "return: median, worst"]
    cases = [(design, transport) for design in DESIGNS for transport in ("TCP", "unix socket")]
    with ThreadPoolExecutor(len(cases)) as pool:
        return [[*heading, "hang: worst"], *pool.map(_row, *zip(*cases, strict=True))]


def _row(design: str, transport: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = None if transport == "TCP" else Path(folder) / "vmm.sock"
        with in_thread(SimulatedDStack(), path) as remote, service(design, remote.url) as running:
            return [design, transport, *_measure(remote, running.url)]


def _measure(remote: Remote, url: str) -> list[str]:
    _seconds_until(url, 200, lambda: None)
    crashes: list[float] = []
    returns: list[float] = []
    for _ in range(CRASHES):
        _pause()
        crashes.append(_seconds_until(url, 503, remote.crash))
        _pause()
        returns.append(_seconds_until(url, 200, remote.revive))
    hangs: list[float] = []
    for _ in range(HANGS):
        _pause()
        hangs.append(_seconds_until(url, 503, lambda: setattr(remote.dstack, "behaviour", _hang)))
        remote.dstack.behaviour = None
        _seconds_until(url, 200, lambda: None)
    return [_median_and_worst(crashes), _median_and_worst(returns), f"{max(hangs):.1f} s"]


def _pause() -> None:
    time.sleep(random.uniform(LEAST_PAUSE, LONGEST_PAUSE))  # noqa: S311 - a phase, not a secret


async def _hang(_: Request, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


def _median_and_worst(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms, {max(seconds) * 1000:.0f} ms"


def _seconds_until(url: str, code: int, event: Callable[[], None]) -> float:
    start = time.monotonic()
    event()
    while get(url)[0] != code:
        if time.monotonic() - start > TIMEOUT:
            raise RuntimeError(f"no response with {code} within {TIMEOUT:g} s")
        time.sleep(0.01)
    return time.monotonic() - start
