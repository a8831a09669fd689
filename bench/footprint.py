"""Memory (PSS of all processes) and seconds from the start to the first answer."""

import statistics
import time

from bench.harness import DESIGNS, nginx, pss, service
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
                memory = pss(running.pid)
            rows.append([design, f"{memory:.1f} MB", _both(starts)])
    with nginx(b"{}") as running:
        rows.append(["nginx", f"{pss(running.pid):.1f} MB", _both([running.started_in])])
    return rows


def _both(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s, {max(seconds):.2f} s"
