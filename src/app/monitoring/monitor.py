"""The monitor: calls the source, applies the domain's rules, publishes, and calls the observers."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from dstack_backend.app.monitoring.clock import Clock, read
from dstack_backend.app.monitoring.guarded_source import GuardedSource
from dstack_backend.app.monitoring.wakeup import NullWatcher, Wakeup
from dstack_backend.domain.backend_info import HealthResponse, NodeIdentity, encode_health
from dstack_backend.domain.check import Check, Reason
from dstack_backend.domain.durations import DurationPeriod, record_duration
from dstack_backend.domain.gpu import GpuState, StoredGpus, forget, restore
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
from dstack_backend.domain.status import BackendStatus, change_between
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Monitor"]

_log = logging.getLogger(__name__)

FOREVER = float("inf")


class Monitor:
    """Implements `Health` with the results of the checks."""

    def __init__(
        self,
        source: GpuSource,
        clock: Clock,
        *,
        policy: CheckPolicy,
        identity: NodeIdentity,
        observers: Sequence[Observer] = (),
        watcher: ConnectivityWatcher | None = None,
    ) -> None:
        """Call nothing yet."""
        # A call that never returns is cancelled when the status is stale: checking goes on.
        self._source = GuardedSource(source, identity, limit=policy.stale_after)
        self._clock = clock
        self._policy = policy
        self._identity = identity
        self._observers = observers
        self._watcher = watcher or NullWatcher()
        self._state = MonitorState(since=read(clock))
        self._durations: Mapping[int, DurationPeriod] = {}
        self._active_at = self._state.since.monotonic
        self._announced = status_at(self._state, clock.monotonic(), policy)
        self._response = encode_health(self._announced, identity)
        self._response_valid_until = FOREVER

    def response(self) -> HealthResponse:
        """Return the encoded BackendInfo of the last check, as long as it is not stale."""
        now = self._clock.monotonic()
        if now <= self._response_valid_until:
            return self._response
        return encode_health(status_at(self._state, now, self._policy), self._identity)

    def report(self) -> StatusReport:
        """Return everything that is known now."""
        return report(self._state, self._clock.monotonic(), self._policy)

    def gpus(self) -> GpuState | None:
        """Return what is known of the GPUs; `None` while no inventory of GPUs is known."""
        return self._state.gpus

    def durations(self) -> Mapping[int, DurationPeriod]:
        """Return how long the checks of the last 24 hours took, by half hour."""
        return self._durations

    def restore_gpus(self, stored: StoredGpus, seen_at: datetime) -> None:
        """Continue what an earlier process remembered of the GPUs. See `domain.gpu.restore`."""
        self._set_gpus(restore(self._state.gpus, stored, seen_at))

    def forget_gpus(self, slots: Collection[str]) -> None:
        """Forget the missing GPUs of some slots."""
        if self._state.gpus:
            self._set_gpus(forget(self._state.gpus, slots))

    def _set_gpus(self, gpus: GpuState) -> None:
        self._state = replace(self._state, gpus=gpus)
        self._call_observers(lambda observer: observer.on_gpus(gpus))

    def is_ready(self) -> bool:
        """Return whether a first check has finished."""
        return self._state.last_check is not None

    def is_running(self) -> bool:
        """Return whether a check has started or finished, no longer ago than one may take."""
        return self._clock.monotonic() - self._active_at <= self._policy.stale_after

    async def run(self) -> None:
        """Check until cancelled, one check at a time."""
        wakeup = Wakeup(self._clock, self._watcher)
        is_hinted = False
        try:
            while True:
                await self.check(is_hinted=is_hinted)
                is_hinted = await wakeup.wait(
                    next_check_at(self._state, self._policy), earliest_hinted_check(self._state)
                )
        finally:
            wakeup.close()

    async def check(self, *, is_hinted: bool = False) -> None:
        """Call the source once and publish the result."""
        started = self._active_at = self._clock.monotonic()
        result, response = await self._source.list_gpus()
        self.announce()  # a status that went stale during the check, before it is replaced
        finished = read(self._clock)
        self._active_at = finished.monotonic
        check = Check(result=result, started=started, finished=finished, is_hinted=is_hinted)
        self._state = observe(self._state, check, self._policy)
        self._durations = record_duration(self._durations, check)
        status = status_at(self._state, finished.monotonic, self._policy)
        if self._state.effective_result is not result or status.reason is Reason.TOO_FEW_GPUS:
            response = encode_health(status, self._identity)
        self._response = response
        self._response_valid_until = stale_at(self._state, self._policy) or FOREVER
        self._call_observers(lambda observer: observer.on_check(check))
        if (gpus := self._state.gpus) and check.failure is None:
            self._call_observers(lambda observer: observer.on_gpus(gpus))
        self.announce()

    def announce(self) -> None:
        """Call the observers if the status differs from the one announced last.

        Each check calls this. A supervisor must call it too: no check reports that a status became
        stale.
        """
        now = read(self._clock)
        status = status_at(self._state, now.monotonic, self._policy)
        change = change_between(self._announced, status, self._changed_at(status, now))
        self._announced = status
        if change:
            self._call_observers(lambda observer: observer.on_change(change))

    def _changed_at(self, status: BackendStatus, now: Timestamp) -> Timestamp:
        last = self._state.last_check
        if last and status.reason is Reason.STALE:
            return last.finished + self._policy.stale_after  # it may be noticed much later
        has_changed = status.status != self._announced.status
        return status_since(self._state, now.monotonic, self._policy) if has_changed else now

    def _call_observers(self, event: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                event(observer)
            except Exception:  # noqa: BLE001 - a faulty observer must not stop the checks
                _log.exception("an observer failed")
