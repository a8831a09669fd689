"""Requests per second and latencies of `/health`, with wrk, at 1, 32 and 256 connections."""

import asyncio
import re
import statistics
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass

from bench.harness import DESIGNS, get, nginx, service
from dstack_backend.testing.simulated_dstack import Request, SimulatedDStack, in_thread

__all__ = ["table"]

CONNECTIONS = (1, 32, 256)
SECONDS = 2
ROUNDS = 3
LATENCIES = {"0 ms": 0.0, "50 ms": 0.05, "400 ms": 0.4, "hangs": None}
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What wrk measured.

    Attributes:
        rate: Requests per second.
        p50: The median latency in milliseconds.
        p99: The 99th percentile in milliseconds.
    """

    rate: float
    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, {self.p50:.2f} ms, {self.p99:.2f} ms"


Loads = dict[int, Load]
"""By the number of connections."""


def table() -> list[list[str]]:
    """Measure all designs; the first row is the heading."""
    loads = [f"{count} conn.: rate, p50, p99" for count in CONNECTIONS]
    ratios = ["rate at 32 / nginx", "p99 at 256 / nginx"]
    rows = [["served by", "DStack takes", *loads, *ratios]]
    dstack = SimulatedDStack()
    with in_thread(dstack) as remote:
        with service("dstack-backend", remote.url) as running, ExitStack() as stack:
            file = stack.enter_context(nginx(_available_body(running.url)))
            base, first = _measure_in_turn([file.url, running.url])
        rows += [
            _row("nginx, a file", "-", base, base),
            _row("dstack-backend", "0 ms", first, base),
        ]
        for name, latency in LATENCIES.items():
            dstack.behaviour = _hang if latency is None else None
            dstack.latency = latency or 0.0
            for design in DESIGNS if latency != 0 else ["on demand"]:
                with service(design, remote.url) as running:
                    rows.append(_row(design, name, _measure_in_turn([running.url], 1)[0], base))
    return rows


def _row(design: str, latency: str, loads: Loads, base: Loads) -> list[str]:
    rate, p99 = loads[32].rate / base[32].rate, loads[256].p99 / base[256].p99
    has_answered = loads[32].rate > 0
    ratios = [f"{rate:.2f}", f"{p99:.1f}"] if has_answered else ["0", "-"]
    return [design, latency, *map(str, loads.values()), *ratios]


def _measure_in_turn(urls: list[str], rounds: int = ROUNDS) -> list[Loads]:
    """Measure servers one after the other, several times; return the median of each."""
    results: dict[tuple[str, int], list[Load]] = {}
    for connections in CONNECTIONS:
        for url in urls * rounds:
            results.setdefault((url, connections), []).append(_wrk(url, connections))
    return [{count: _median(results[url, count]) for count in CONNECTIONS} for url in urls]


def _median(loads: list[Load]) -> Load:
    middle = statistics.median_low(load.rate for load in loads)
    return next(load for load in loads if load.rate == middle)


def _available_body(url: str) -> bytes:
    while True:
        code, body = get(url)
        if code == 200:
            return body


def _wrk(url: str, connections: int) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "10s", "--latency"]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    latencies = re.findall(r"^ +(?:50|99)% +([\d.]+)([a-z]+)", out, re.MULTILINE)
    if not rate or len(latencies) != 2:
        raise RuntimeError(f"wrk printed no latencies: {out}")
    return Load(float(rate[1]), *(float(value) * MILLISECONDS[unit] for value, unit in latencies))


async def _hang(_: Request, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)
