"""Output that is not read: an unread pipe, and Ctrl-S in a terminal. Nothing waits for it."""

import asyncio
import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import HttpxDStack, parse_address
from dstack_backend.domain import GpuInventory
from tests.contract.process.service import Service, free_port, wait_until
from tests.faults.support.process import HarnessService

LONGEST_ANSWER = 1.0
LONGEST_STOP = 3.0
FLAPPING = {"HARNESS_INTERVAL": "0.001"}
"""Two lines of the log in a few milliseconds, so that its queue is full soon."""


class Output:
    """What a process writes to and the test does not read, until it does."""

    def __init__(self, kind: str) -> None:
        if kind == "pipe":
            self.reading, self.writing = os.pipe()
            fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, 4096)
        else:
            self.reading, self.writing = pty.openpty()
            termios.tcflow(self.writing, termios.TCOOFF)  # as Ctrl-S does
        self._is_terminal = kind != "pipe"

    def fill(self) -> None:
        """Fill it, so that the first write of the process waits."""
        os.set_blocking(self.writing, False)
        try:
            while True:
                os.write(self.writing, b"x")
        except BlockingIOError:
            os.set_blocking(self.writing, True)

    def read_until(self, pattern: str, seconds: float = 20) -> str:
        """Read until a pattern matches."""
        if self._is_terminal:
            termios.tcflow(self.writing, termios.TCOON)
        received, deadline = "", time.monotonic() + seconds
        while not re.search(pattern, received):
            assert time.monotonic() < deadline, received[-1000:]
            if select.select([self.reading], [], [], 1)[0]:
                received += os.read(self.reading, 65536).decode(errors="replace")
        return received

    def close(self) -> None:
        """Close it."""
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture(params=["pipe", "terminal"])
def output(request: pytest.FixtureRequest) -> Iterator[Output]:
    """Return an output that is not read."""
    output = Output(str(request.param))
    yield output
    output.close()


@pytest.fixture
def service(output: Output, tmp_path: Path) -> Iterator[HarnessService]:
    """Run a service whose status flaps until it has lost lines of its log."""
    with ExitStack() as ends:
        service = HarnessService(tmp_path, "flap", output.writing, **FLAPPING)
        ends.callback(service.kill)
        wait_until(lambda: _lost(service) > 0, 40)
        yield service


def _lost(service: Service) -> int:
    text = service.ask("/metrics").body.decode()
    found = re.search(r"^dstack_backend_log_lines_lost_total (\S+)$", text, re.MULTILINE)
    assert found
    return int(float(found[1]))


def test_service_answers_and_checks_while_its_log_is_not_read(
    service: HarnessService, output: Output
) -> None:
    """When it is read again, a line says how many lines were lost."""
    for _ in range(10):
        started = time.monotonic()
        assert service.ask("/health").code in {200, 503}
        assert time.monotonic() - started < LONGEST_ANSWER
    assert service.status()["last_check"]["age_seconds"] < LONGEST_ANSWER
    service.order("good")
    wait_until(lambda: service.ask("/health").code == 200)
    text = output.read_until(r"ERROR   \d+ log lines were lost")
    assert "answers on" in text
    assert int(re.findall(r"(\d+) log lines were lost", text)[0]) <= _lost(service)
    assert service.end()[0] == 0
    output.read_until("stopped")


def test_sigterm_ends_a_service_whose_log_is_not_read(service: HarnessService) -> None:
    """Within the usual time, with exit code 0."""
    code, seconds = service.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def _start(output: Output, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dstack_backend", *arguments],
        env={"PATH": os.environ["PATH"], **env},
        stdout=output.writing,
        stderr=output.writing,
    )


def _end(process: subprocess.Popen[bytes]) -> tuple[int, bool]:
    started = time.monotonic()
    process.terminate()
    return process.wait(10), time.monotonic() - started < LONGEST_STOP


def _is_answered(call: Callable[[], object]) -> bool:
    try:
        return bool(call())
    except OSError:
        return False


def test_demo_serves_while_its_output_is_not_read(output: Output) -> None:
    """It cannot print its first line."""
    output.fill()
    port = free_port()
    with _start(output, "demo", LISTEN_ADDR=f"127.0.0.1:{port}") as process:
        try:
            service = Service.__new__(Service)
            service.host, service.port = "127.0.0.1", port
            wait_until(lambda: _is_answered(lambda: service.ask("/health").code == 200), 20)
            assert _end(process) == (0, True)
        finally:
            process.kill()


def test_simulated_dstack_answers_while_its_output_is_not_read(
    output: Output, tmp_path: Path
) -> None:
    """It cannot print its address."""
    output.fill()
    source = HttpxDStack(parse_address(f"unix:{tmp_path}/vmm.sock"), timeout=1)
    with _start(output, "simulate", "--listen", f"unix:{tmp_path}/vmm.sock") as process:
        try:
            wait_until(lambda: isinstance(asyncio.run(source.list_gpus()), GpuInventory), 20)
            assert _end(process) == (0, True)
        finally:
            process.kill()
