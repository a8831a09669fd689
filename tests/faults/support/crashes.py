"""Measures how long it takes until a crash and a return are seen."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from tests.contract.process.service import Service, free_port

__all__ = [
    "CRASH_SEEN",
    "INTERVAL",
    "RETURN_SEEN",
    "DStackProcess",
    "crash_and_return",
    "seconds_until",
]

CRASH_SEEN = 0.1
"""Seconds, at any phase of a second after a check."""

RETURN_SEEN = 0.5
"""Seconds from the return of the listener."""

INTERVAL = 2.0
"""The setting CHECK_INTERVAL: crashes come after a regular check, and soon."""

ABSENCE = 1.2
"""Seconds between crash and return: hinted checks start at least 1 s apart."""


class DStackProcess:
    """A simulated DStack that can be killed.

    Attributes:
        url: Its `DSTACK_URL`.
    """

    def __init__(self, path: Path | None) -> None:
        """Start it: on a unix socket where a path is given, else on TCP."""
        self.url = f"unix:{path}" if path else f"http://127.0.0.1:{free_port()}"
        self._listen = self.url.removeprefix("http://")
        self._process = self._begin()
        self._wait()

    def start(self) -> None:
        """Start it again."""
        self._process = self._begin()
        self._wait()

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        with self._process:
            self._process.kill()

    def _begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "dstack_backend", "simulate", "--listen", self._listen],
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            text=True,
        )

    def _wait(self) -> None:
        assert cast("IO[str]", self._process.stdout).readline().strip() == self.url


def seconds_until(service: Service, code: int, within: float = 5.0) -> float:
    """Request `/health` until it has this status, and return the seconds."""
    started = time.monotonic()
    while service.ask("/health").code != code:
        assert time.monotonic() - started < within, f"no {code} within {within:g} s"
        time.sleep(0.005)
    return time.monotonic() - started


def crash_and_return(
    service: Service, crash: Callable[[], object], revive: Callable[[], object], phase: float
) -> tuple[float, float]:
    """Let DStack crash and return, and return after how many seconds each was seen.

    The crash comes `phase` seconds after a regular check.
    """
    _wait_for_regular_check(service)
    time.sleep(phase)
    crash()
    gone = seconds_until(service, 503)
    time.sleep(ABSENCE)
    revive()
    return gone, seconds_until(service, 200)


def _wait_for_regular_check(service: Service) -> None:
    # The last check may have been hinted: the next one is not, and starts an interval later.
    deadline = time.monotonic() + INTERVAL + 5
    age = 0.0
    while (latest := float(service.status()["last_check"]["age_seconds"])) >= age:
        assert time.monotonic() < deadline, "no check started"
        age = latest
        time.sleep(0.005)
