"""The service as a process, and requests to it."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

from msgspec import Struct

__all__ = ["Answer", "Service", "free_port", "run_command", "wait_until"]

PORTS = range(20_000, 32_000)
"""Below those that Linux gives to programs that name none, and above those of usual services."""

START = 20.0
"""Seconds for a start: far more than it takes, because the machine may be busy."""


class Answer(Struct, frozen=True):
    """An HTTP response.

    Attributes:
        code: The status.
        headers: The headers.
        body: The body.
    """

    code: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


class Service:
    """A process `python -m dstack_backend ...` that listens."""

    def __init__(
        self,
        log: Path,
        *arguments: str,
        host: str = "127.0.0.1",
        port: int | None = None,
        python: Sequence[str] = (sys.executable,),
        **env: str,
    ) -> None:
        """Start it and wait until it answers.

        Args:
            log: A file for its standard output and standard error.
            arguments: The command line.
            host: The address on which it listens, an IPv6 address without brackets.
            port: The port on which it listens; by default a free one.
            python: The command of the interpreter.
            env: Its environment's variables.
        """
        self.host = host
        self.port = port or free_port(host)
        self.netloc = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*python, "-m", "dstack_backend", *arguments],
                env=_environment({"LISTEN_ADDR": self.netloc, **env}),
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self._answers() or self.process.poll() is not None, START)
        assert self.process.poll() is None, self.log

    def _answers(self) -> bool:
        """Return whether it serves: before, the kernel accepts connections for it."""
        try:
            return self.ask("/livez").code == 200
        except (OSError, http.client.HTTPException):
            return False

    @property
    def log(self) -> str:
        """Everything that it has written so far."""
        return self._log.read_text()

    def connect(self) -> socket.socket:
        """Open a connection to it."""
        return socket.create_connection((self.host, self.port), timeout=5)

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://{self.netloc}{path}"

    def ask(self, path: str, method: str = "GET") -> Answer:
        """Send a request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def status(self) -> Any:
        """Return the decoded `/status`."""
        return self.ask("/status").json()

    def wait_for(self, reason: str | None, seconds: float = 15.0) -> Any:
        """Wait until `/status` has this reason (`None`: available), and return it."""
        wait_until(lambda: self.status()["reason"] == reason, seconds)
        return self.status()

    def memory(self, kind: str = "Pss") -> int:
        """Return its memory in bytes, of all its processes.

        Args:
            kind: The proportional share (`Pss`), which also changes when another process with the
                same libraries starts or ends, or `Anonymous`, to measure how it grows.
        """
        return sum(_memory(number, kind) for number in _family(self.process.pid))

    def most_memory(self) -> int:
        """Return the peak resident memory of its first process in bytes, shared pages included."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal, and return the exit code and the seconds until the end."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(timeout=15)
        return code, time.monotonic() - started

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


def run_command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m dstack_backend ...` to its end."""
    return subprocess.run(
        _command(*arguments),
        env=_environment(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until a condition holds, and fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds:g} s"
        time.sleep(0.02)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that is free, and stays free until its user binds it.

    The kernel gives no program a port of this range. Each process of a test run has its own part.
    """
    for port in _ports:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError


def _own_ports() -> Iterator[int]:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = PORTS[worker::workers]
    start = os.getpid() % len(own)  # two runs at a time rarely use the same
    return itertools.cycle([*own[start:], *own[:start]])


_ports = _own_ports()


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dstack_backend", *arguments]


def _environment(env: dict[str, str]) -> dict[str, str]:
    """Return an environment of these variables; of the tests' own only `PATH` is in it."""
    return {"PATH": os.environ["PATH"], "HISTORY": "off", **env}


def _family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(each for child in children for each in _family(int(child)))]


def _memory(process: int, kind: str) -> int:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {kind}")
