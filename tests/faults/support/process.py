"""Measurements of a process from outside, and the service with another source or clock."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.contract.process.service import START, Service, free_port, wait_until

__all__ = ["MEGABYTE", "HarnessService", "processor_seconds", "settled", "sockets"]

MEGABYTE = 1024 * 1024
SETTLING = 5.0
"""Seconds until closed descriptors are gone, also on a busy machine."""


def sockets(process: int) -> int:
    """Return the number of open descriptors of a process."""
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def settled(process: int, at_most: int) -> int:
    """Wait until a process has at most so many open descriptors, and return their number."""
    deadline = time.monotonic() + SETTLING
    while (count := sockets(process)) > at_most and time.monotonic() < deadline:
        time.sleep(0.02)
    return count


def processor_seconds(process: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class HarnessService(Service):
    """A process of the service with another source, another clock or shorter intervals."""

    def __init__(
        self, folder: Path, orders: str = "good", output: int | None = None, /, **env: str
    ) -> None:
        """Start it and wait until it answers.

        Args:
            folder: For its log and its orders.
            orders: What its source does; see harness.py.
            output: The descriptor for its output, in place of a log.
            env: Its environment's variables.
        """
        self.host = "127.0.0.1"
        self.port = free_port()
        self.netloc = f"{self.host}:{self.port}"
        self._log = folder / f"harness-{self.port}.log"
        self._orders = folder / f"orders-{self.port}"
        self.order(orders)
        given = {"LISTEN_ADDR": self.netloc, "HARNESS_ORDERS": str(self._orders), **env}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.support.harness"],
                env={"PATH": os.environ["PATH"], "HISTORY": "off", **given},
                stdout=log if output is None else output,
                stderr=log if output is None else output,
            )
        wait_until(lambda: self._answers() or self.process.poll() is not None, START)
        assert self.process.poll() is None, self.log

    def order(self, orders: str) -> None:
        """Set what its source does from the next call on."""
        new = self._orders.with_suffix(".new")
        new.write_text(orders)
        new.replace(self._orders)
