"""One service under one fault after the other, watched the whole time."""

import os
import time
from collections.abc import Callable

from dstack_backend.domain import Reason
from dstack_backend.testing.contracts import check_answer
from tests.contract.process.service import Service, wait_until
from tests.faults.polling import Poller
from tests.faults.process import MEGABYTE, settled, sockets

__all__ = ["LONGEST_ANSWER", "Arena"]

LONGEST_ANSWER = 1.0
"""Seconds that `/health` may take while DStack does its worst.

On two processors the worst that was measured is 0.15 s, and 0.67 s while five other programs wanted
them too. A part of it is our own: 64 KiB of 100 Continue keep the event loop busy for 80 ms.
"""

MOST_MEMORY = 200 * MEGABYTE


class Arena:
    """A service that is available when a fault begins, and must be again when it is over.

    Attributes:
        service: The service.
        worst: The longest that `/health` ever took, in seconds.
        worst_of: The test in which it did.
    """

    def __init__(self, service: Service, poller: Poller) -> None:
        """Wait until the service is available, and count what it has open."""
        self.service = service
        self.worst = 0.0
        self.worst_of = ""
        self._poller = poller
        service.wait_for(None)
        self._open = self._fewest_open()

    def _fewest_open(self) -> int:
        """Give the descriptors between two checks and two polls."""
        counts: list[int] = []
        for _ in range(100):
            counts.append(sockets(self.service.process.pid))
            time.sleep(0.01)
        return min(counts)

    def endure(
        self, begin: Callable[[], object], end: Callable[[], object], reason: Reason, message: str
    ) -> None:
        """Let a fault begin, see what the service says of it, let it end, and see that all is well.

        Args:
            begin: What brings the fault about.
            end: What ends it.
            reason: The code that the service must give.
            sentence: What `/health` must say, but for a position in the answer at its end.
        """
        self.watch(begin, lambda: self._assert_told(reason, message), end)

    def watch(
        self,
        begin: Callable[[], object],
        meanwhile: Callable[[], object],
        end: Callable[[], object],
    ) -> None:
        """See that a service stays prompt and small, and is available with nothing left open."""
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
        assert settled(self.service.process.pid, self._open) <= self._open, "something is left open"

    def _assert_told(self, reason: Reason, message: str) -> None:
        wait_until(lambda: self.service.status()["reason"])
        status = self.service.status()
        assert status["reason"] == reason, status["message"]
        answer = self.service.ask("/health")
        told = check_answer(answer.code, answer.body).metadata
        assert told.partition(" (byte ")[0] == message
        assert status["message"] == told
