"""The monitor at work: it asks, remembers by the domain's rules, publishes, and tells observers."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from dstack_backend.app.monitoring.clock import Clock, read
from dstack_backend.app.monitoring.wakeup import NullWatcher, Wakeup
from dstack_backend.domain.backend_info import HealthResponse, NodeIdentity, encode_health
from dstack_backend.domain.change import change_between
from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.failure import CheckFailure, Reason
from dstack_backend.domain.monitor import (
    CheckPolicy,
    MonitorState,
    earliest_hinted_check,
    next_check_at,
    observe,
    stale_at,
    status_at,
    status_since,
)
from dstack_backend.domain.ports import ConnectivityWatcher, GpuSource, Observer
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.domain.status import BackendStatus
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Monitor"]

_log = logging.getLogger(__name__)

FOREVER = float("inf")


class Monitor:
    """Implements the port `Health` with what the checks bring."""

    def __init__(
        self,
        dstack: GpuSource,
        clock: Clock,
        *,
        policy: CheckPolicy,
        identity: NodeIdentity,
        observers: Sequence[Observer] = (),
        watcher: ConnectivityWatcher | None = None,
    ) -> None:
        """Begin knowing nothing; nothing is asked yet.

        Args:
            dstack: The source of GPUs.
            clock: Time.
            policy: Interval, timeout and thresholds.
            identity: Who the backend is to the network.
            observers: Who is told what happens.
            presence: What gives hints to check; by default nothing does.
        """
        self._dstack = dstack
        self._clock = clock
        self._policy = policy
        self._identity = identity
        self._observers = observers
        self._presence = watcher or NullWatcher()
        self._state = MonitorState(since=read(clock))
        self._announced = status_at(self._state, clock.monotonic(), policy)
        self._answer = encode_health(self._announced, identity)
        self._answer_holds_until = FOREVER

    def answer(self) -> HealthResponse:
        """Give what the worker reads: the bytes of the last check, as long as they hold."""
        now = self._clock.monotonic()
        if now <= self._answer_holds_until:
            return self._answer
        return encode_health(status_at(self._state, now, self._policy), self._identity)

    def report(self) -> StatusReport:
        """Give all that is known now."""
        return report(self._state, self._clock.monotonic(), self._policy)

    def is_ready(self) -> bool:
        """Say whether a first check has finished."""
        return self._state.last_check is not None

    async def run(self) -> None:
        """Check again and again, one check at a time."""
        wakeup = Wakeup(self._clock, self._presence)
        try:
            while True:
                await self.check()
                await wakeup.wait(
                    next_check_at(self._state, self._policy), earliest_hinted_check(self._state)
                )
        finally:
            wakeup.close()

    async def check(self) -> None:
        """Ask once and publish what it brings."""
        started = self._clock.monotonic()
        result = await self._ask()
        self.announce()  # what went stale meanwhile, as we stood still, before it is news no more
        check = Check(result=result, started=started, finished=read(self._clock))
        self._state = observe(self._state, check, self._policy)
        status = status_at(self._state, check.finished.monotonic, self._policy)
        self._answer = encode_health(status, self._identity)
        self._answer_holds_until = stale_at(self._state, self._policy) or FOREVER
        self._tell(lambda observer: observer.on_check(check))
        self.announce()

    async def _ask(self) -> CheckResult:
        # The port keeps its own deadline. A foreign one that breaks this promise is given up when
        # its silence has made the status stale anyway, so that checking goes on.
        limit = self._policy.stale_after
        patience = asyncio.timeout(limit)
        try:
            async with patience:
                return await self._dstack.list_gpus()
        except TimeoutError:
            if not patience.expired():
                raise
            return CheckFailure(Reason.TIMED_OUT, f"no answer within {limit:g} s")

    def announce(self) -> None:
        """Tell the observers if the status is another one than they were told of.

        A check calls this, and so must somebody who watches: no check reports that a status went
        stale.
        """
        now = read(self._clock)
        status = status_at(self._state, now.monotonic, self._policy)
        at = self._began(status, now)
        change = change_between(self._announced, status, at)
        self._announced = status
        if change:
            self._tell(lambda observer: observer.on_change(change))

    def _began(self, status: BackendStatus, now: Timestamp) -> Timestamp:
        last = self._state.last_check
        if last and status.reason is Reason.STALE:
            return last.finished + self._policy.stale_after  # it may be noticed much later
        turned = status.status != self._announced.status
        return status_since(self._state, now.monotonic, self._policy) if turned else now

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                event(observer)
            except Exception:  # noqa: BLE001 - a foreign observer's fault must not stop the checks
                _log.exception("an observer failed")
