"""Requests per second and latencies, with wrk, at 1, 32 and 256 connections."""

import asyncio
import re
import subprocess
from dataclasses import dataclass

from bench.harness import get, nginx, service
from dstack_backend.testing.simulated_dstack import Request, SimulatedDStack, in_thread

__all__ = ["table"]

CONNECTIONS = (1, 32, 256)
SECONDS = 4
LATENCIES = {"0 ms": 0.0, "50 ms": 0.05, "400 ms": 0.4, "hangs": None}


@dataclass(frozen=True)
class Load:
    """What wrk measured."""

    per_second: float
    p50: str
    p99: str

    def __str__(self) -> str:
        return f"{self.per_second:,.0f}/s, {self.p50}, {self.p99}"


def table() -> list[list[str]]:
    """Measure all; the first row is the heading."""
    rows = [["served by", "DStack takes", *(f"{n} conn.: rate, p50, p99" for n in CONNECTIONS)]]
    dstack = SimulatedDStack()
    with in_thread(dstack) as remote:
        with service("ours", remote.url) as ours:
            body = _settled(ours.url)
        with nginx(body) as file:
            rows.append(["nginx, a file", "-", *_loads(file.url)])
        for name, latency in LATENCIES.items():
            dstack.behaviour = _hang if latency is None else None
            dstack.latency = latency or 0.0
            for design in ("ours", "on demand"):
                with service(design, remote.url) as running:
                    rows.append([design, name, *_loads(running.url)])
    return rows


def _settled(url: str) -> bytes:
    while True:
        code, body = get(url)
        if code == 200:
            return body


def _loads(url: str) -> list[str]:
    get(url)
    return [str(wrk(url, connections)) for connections in CONNECTIONS]


def wrk(url: str, connections: int, seconds: int = SECONDS) -> Load:
    """Load `url` from so many connections at once."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    p50, p99 = (re.search(rf"^ +{p}% +(\S+)", out, re.MULTILINE) for p in (50, 99))
    if not (rate and p50 and p99):
        raise RuntimeError("wrk says nothing")
    return Load(float(rate[1]), p50[1], p99[1])


async def _hang(_: Request, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)
