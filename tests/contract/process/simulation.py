"""`dstack-backend simulate` as a process, with its script piped in."""

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
    """A running `simulate`, with its script piped in.

    Attributes:
        process: The process.
        url: The first line that it printed.
        lines: What it has printed since.
    """

    def __init__(self, *options: str) -> None:
        """Start it on a free port, unless the options say where."""
        where = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        self.process = subprocess.Popen(
            [*SIMULATE, *where, *options],
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

    def tell(self, direction: str) -> None:
        """Pipe in one line, and wait until it was followed."""
        before = len(self.lines)
        self.send(direction)
        wait_until(lambda: len(self.lines) > before)
        assert self.lines[-1].endswith(f" s  {direction}")

    def send(self, text: str) -> None:
        """Pipe in a line."""
        print(text, file=self.process.stdin, flush=True)

    def check(self, token: str | None = None, timeout: float = 5.0) -> CheckResult:
        """Ask it once."""
        credentials = Bearer(token) if token else None
        source = HttpxDStack(parse_address(self.url), timeout=timeout, credentials=credentials)
        return asyncio.run(source.list_gpus())

    def reason(self) -> Reason | None:
        """Ask it once; give why there is no inventory, if there is none."""
        result = self.check(timeout=0.5)
        return result.reason if isinstance(result, CheckFailure) else None

    def inventory(self) -> GpuInventory:
        """Ask it once for what it has."""
        result = self.check()
        assert isinstance(result, GpuInventory), result
        return result

    def wait(self) -> tuple[int, str]:
        """Wait for its end; give the exit code and what it complained of."""
        code = self.process.wait(timeout=10)
        self._reader.join()
        return code, cast("IO[str]", self.process.stderr).read()

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send it a signal and wait for its end."""
        self.process.send_signal(how)
        return self.wait()

    def close(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        with self.process:
            self._reader.join()
