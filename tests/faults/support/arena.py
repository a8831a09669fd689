"""One service under one fault after the other, with a poller at work all the time."""

import os
import time
from collections.abc import Callable

from dstack_backend.domain import Reason
from dstack_backend.testing.contracts import check_answer
from tests.contract.process.service import Service, wait_until
from tests.faults.support.polling import Poller
from tests.faults.support.process import MEGABYTE, settled, sockets

__all__ = ["LONGEST_ANSWER", "Arena"]

LONGEST_ANSWER = 1.0
"""Seconds that `/health` may take during a fault.

On two processors the worst measurement is 0.15 s, and 0.67 s while five other programs used them.
A part of it is the service's own: 64 KiB of 100 Continue keep the event loop busy for 80 ms.
"""

MOST_MEMORY = 200 * MEGABYTE


class Arena:
    """A service that is available before a fault, and has to be available again after it.

    Attributes:
        service: The service.
        worst: The longest response time of `/health`, in seconds.
        worst_of: The test with it.
    """

    def __init__(self, service: Service, poller: Poller) -> None:
        """Wait until the service is available, and count its open descriptors."""
        self.service = service
        self.worst = 0.0
        self.worst_of = ""
        self._poller = poller
        service.wait_for(None)
        self._open = self._fewest_open()

    def _fewest_open(self) -> int:
        """Return the number of descriptors between checks and polls."""
        counts: list[int] = []
        for _ in range(100):
            counts.append(sockets(self.service.process.pid))
            time.sleep(0.01)
        return min(counts)

    def endure(
        self, begin: Callable[[], object], end: Callable[[], object], reason: Reason, message: str
    ) -> None:
        """Start a fault, assert reason and message, end it, and assert the recovery.

        Args:
            begin: Starts the fault.
            end: Ends it.
            reason: The expected reason.
            message: The expected message of `/health`, without a position at its end.
        """
        self.watch(begin, lambda: self._assert_reported(reason, message), end)

    def watch(
        self,
        begin: Callable[[], object],
        meanwhile: Callable[[], object],
        end: Callable[[], object],
    ) -> None:
        """Assert latency, memory, the recovery, and that no descriptor stays open."""
        self.service.wait_for(None)
        self._poller.seen()
        begin()
        try:
            meanwhile()
        finally:
            end()
        self.service.wait_for(None)
        assert self.service.ask("/health").code == 200
        seen = self._poller.seen()
        if seen.worst > self.worst:
            self.worst, self.worst_of = seen.worst, os.environ["PYTEST_CURRENT_TEST"]
        seen.assert_prompt(within=LONGEST_ANSWER)
        assert self.service.memory() < MOST_MEMORY
        assert settled(self.service.process.pid, self._open) <= self._open, (
            "a descriptor is still open"
        )

    def _assert_reported(self, reason: Reason, message: str) -> None:
        # The kernel may refuse before a file is gone: the first reason may be another one.
        wait_until(lambda: self.service.status()["reason"] == reason)
        status = self.service.status()
        assert status["reason"] == reason, status["message"]
        answer = self.service.ask("/health")
        metadata = check_answer(answer.code, answer.body).metadata
        assert metadata.partition(" (byte ")[0] == message
        assert status["message"] == metadata
