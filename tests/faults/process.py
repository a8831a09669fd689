"""What is seen of a process from outside, and the running of a program instead of the service."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.contract.process.service import START, Service, free_port, wait_until

__all__ = ["MEGABYTE", "Staged", "processor_seconds", "settled", "sockets"]

MEGABYTE = 1024 * 1024
SETTLING = 5.0
"""Seconds in which what is closed is gone, on a busy machine too."""


def sockets(process: int) -> int:
    """Count the open descriptors of a process."""
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def settled(process: int, at_most: int) -> int:
    """Wait until a process has no more descriptors open than that; give how many it has."""
    deadline = time.monotonic() + SETTLING
    while (count := sockets(process)) > at_most and time.monotonic() < deadline:
        time.sleep(0.02)
    return count


def processor_seconds(process: int) -> float:
    """Give the processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Staged(Service):
    """A process that runs the service with another DStack, another clock or shorter intervals."""

    def __init__(self, folder: Path, orders: str = "good", **env: str) -> None:
        """Start it and wait until it listens.

        Args:
            folder: Where its log and its orders are.
            orders: What its DStack does; see stage.py.
            env: Its environment's variables.
        """
        self.host = "127.0.0.1"
        self.port = free_port()
        self.netloc = f"{self.host}:{self.port}"
        self._log = folder / f"staged-{self.port}.log"
        self._orders = folder / f"orders-{self.port}"
        self.order(orders)
        given = {"LISTEN_ADDR": self.netloc, "STAGE_ORDERS": str(self._orders), **env}
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.harness"],
                env={"PATH": os.environ["PATH"], "HISTORY": "off", **given},
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self._listens() or self.process.poll() is not None, START)
        assert self.process.poll() is None, self.log

    def order(self, orders: str) -> None:
        """Say what its DStack does from the next call on."""
        new = self._orders.with_suffix(".new")
        new.write_text(orders)
        new.replace(self._orders)
