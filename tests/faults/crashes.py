"""How long it takes until a crash and a return are seen."""

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
    "RETURN_SEEN",
    "DStackProcess",
    "crash_and_return",
    "seconds_until",
]

CRASH_SEEN = 0.25
RETURN_SEEN = 2.0
"""Seconds that the issue of this service's users allows."""

QUIET = 1.2
"""Seconds between a check and the next crash: hints are followed at most once a second."""


class DStackProcess:
    """A simulated DStack that can be killed.

    Attributes:
        url: Its `DSTACK_URL`.
    """

    def __init__(self, path: Path | None) -> None:
        """Start it, on a unix socket where a path is given, else on TCP."""
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
    """Ask `/health` until it answers with this status; give the seconds."""
    started = time.monotonic()
    while service.ask("/health").code != code:
        assert time.monotonic() - started < within, f"no {code} within {within:g} s"
        time.sleep(0.005)
    return time.monotonic() - started


def crash_and_return(
    service: Service, crash: Callable[[], object], revive: Callable[[], object]
) -> tuple[float, float]:
    """Let DStack crash and return; give after how many seconds each was seen."""
    time.sleep(QUIET)
    assert service.ask("/health").code == 200
    crash()
    gone = seconds_until(service, 503)
    revive()
    return gone, seconds_until(service, 200)
