"""Memory (PSS of all processes), and seconds from the start to the first response."""

import statistics
import time

from bench.harness import DESIGNS, Running, nginx, pss, service
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread

__all__ = ["table"]

STARTS = 5
SETTLE = 5.0


def table() -> list[list[str]]:
    """Measure both designs and nginx."""
    rows = [["process", "memory after 5 s", "start: median, worst"]]
    with in_thread(SimulatedDStack()) as remote:
        for design in DESIGNS:
            starts: list[float] = []
            for _ in range(STARTS):
                with service(design, remote.url) as running:
                    starts.append(running.started_in)
            with service(design, remote.url) as running:
                time.sleep(SETTLE)
                rows.append(_row(design, running, starts))
    with nginx(b"{}") as running:
        rows.append(_row("nginx", running, [running.started_in]))
    return rows


def _row(name: str, running: Running, starts: list[float]) -> list[str]:
    start = f"{statistics.median(starts):.2f} s, {max(starts):.2f} s"
    return [name, f"{pss(running.pid):.1f} MB", start]
