"""Memory (PSS of all processes), and seconds from the start to the first response."""

import os
import socket
import statistics
import threading
import time

from bench.harness import DESIGNS, nginx, pss, service
from dstack_backend.adapters.apprise_notifier import AppriseTarget
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread

__all__ = ["table"]

STARTS = 5
SETTLE = 5.0


def table() -> list[list[str]]:
    """Measure both designs, the service with an address for messages, a message, and nginx."""
    rows = [["process", "memory after 5 s", "start: median, worst"]]
    with in_thread(SimulatedDStack()) as remote:
        rows += [_measured(design, design, remote.url) for design in DESIGNS]
        url = "json://127.0.0.1:9"
        rows.append(
            _measured(
                "dstack-backend, one of NOTIFY_URLS", "dstack-backend", remote.url, NOTIFY_URLS=url
            )
        )
    rows.append(_message())
    with nginx(b"{}") as running:
        rows.append(_row("nginx", running.pid, [running.started_in]))
    return rows


def _measured(name: str, design: str, dstack_url: str, **settings: str) -> list[str]:
    starts: list[float] = []
    for _ in range(STARTS):
        with service(design, dstack_url, **settings) as running:
            starts.append(running.started_in)
    with service(design, dstack_url, **settings) as running:
        time.sleep(SETTLE)
        return _row(name, running.pid, starts)


def _message() -> list[str]:
    """Measure the process that sends a message, while it waits for the response of a webhook."""
    starts: list[float] = []
    before = pss(os.getpid())
    memory = 0.0
    with socket.create_server(("127.0.0.1", 0)) as webhook:
        target = AppriseTarget(f"json://127.0.0.1:{webhook.getsockname()[1]}", "bench")
        for _ in range(STARTS):
            start = time.monotonic()
            thread = threading.Thread(target=target.send, args=("title", "body"))
            thread.start()
            with webhook.accept()[0]:
                starts.append(time.monotonic() - start)
                memory = pss(os.getpid()) - before
            thread.join()
    return ["a message, while it is sent", f"{memory:.1f} MB", _times(starts)]


def _row(name: str, pid: int, starts: list[float]) -> list[str]:
    return [name, f"{pss(pid):.1f} MB", _times(starts)]


def _times(starts: list[float]) -> str:
    return f"{statistics.median(starts):.2f} s, {max(starts):.2f} s"
