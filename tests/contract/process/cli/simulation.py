"""`dstack-backend simulate` as a process that reads its script from a pipe."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import IO, cast

from dstack_backend.adapters.httpx_dstack import Bearer, HttpxDStack, parse_address
from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, Reason
from tests.contract.process.service import wait_until

__all__ = ["SIMULATE", "Simulation"]

SIMULATE = (sys.executable, "-m", "dstack_backend", "simulate")


class Simulation:
    """A running `simulate`; with `--script -` its script comes from a pipe.

    Attributes:
        process: The process.
        url: The first line of its output.
        lines: The lines after it.
    """

    def __init__(self, *options: str) -> None:
        """Start it, on a free port unless the options have an address."""
        listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        self.process = subprocess.Popen(
            [*SIMULATE, *listen, *options],
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.url = self._output.readline().strip()
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def _output(self) -> IO[str]:
        return cast("IO[str]", self.process.stdout)

    def _read(self) -> None:
        for line in self._output:
            self.lines.append(line.strip())

    def run_line(self, line: str) -> None:
        """Send one line, and wait until it has run."""
        before = len(self.lines)
        self.send(line)
        wait_until(lambda: len(self.lines) > before)
        assert self.lines[-1].endswith(f" s  {line}")

    def send(self, line: str) -> None:
        """Send one line."""
        print(line, file=self.process.stdin, flush=True)

    def check(self, token: str | None = None, timeout: float = 5.0) -> CheckResult:
        """Run one check against it."""
        credentials = Bearer(token) if token else None
        source = HttpxDStack(parse_address(self.url), timeout=timeout, credentials=credentials)
        return asyncio.run(source.list_gpus())

    def reason(self, timeout: float = 5.0) -> Reason | None:
        """Run one check, and return the reason of its failure; `None` for an inventory."""
        result = self.check(timeout=timeout)
        return result.reason if isinstance(result, CheckFailure) else None

    def inventory(self) -> GpuInventory:
        """Run one check, and return its inventory."""
        result = self.check()
        assert isinstance(result, GpuInventory), result
        return result

    def wait(self) -> tuple[int, str]:
        """Wait for its end, and return the exit code and its standard error."""
        code = self.process.wait(timeout=10)
        self._reader.join()
        return code, cast("IO[str]", self.process.stderr).read()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal, and wait for its end."""
        self.process.send_signal(number)
        return self.wait()

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        with self.process:
            self._reader.join()
