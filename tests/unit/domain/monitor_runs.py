"""Hypothesis strategy for sequences of checks."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from msgspec import Struct

from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory
from dstack_backend.domain.monitor import CheckPolicy, MonitorState, observe
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["MonitorRun", "monitor_runs"]


def _timestamps() -> SearchStrategy[Timestamp]:
    """Return timestamps whose wall clock is independent of the monotonic one."""
    utc = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
    return st.builds(Timestamp, st.floats(0, 1e6), utc)


def _policies() -> SearchStrategy[CheckPolicy]:
    """Return policies that the settings allow."""
    thresholds = st.integers(1, 4)
    seconds = st.floats(0.1, 600)
    return st.builds(
        CheckPolicy,
        interval=seconds,
        timeout=seconds,
        failure_threshold=thresholds,
        recovery_threshold=thresholds,
    )


class MonitorRun(Struct, frozen=True):
    """A sequence of checks.

    Attributes:
        policy: The policy.
        start: When the monitor started.
        checks: The finished checks, in order, never two at once.
        now: A second (monotonic) not before the last of them.
    """

    policy: CheckPolicy
    start: Timestamp
    checks: tuple[Check, ...]
    now: float

    @property
    def states(self) -> tuple[MonitorState, ...]:
        """The first state, then the one after each check."""
        states = [MonitorState(since=self.start)]
        for check in self.checks:
            states.append(observe(states[-1], check, self.policy))
        return tuple(states)

    @property
    def state(self) -> MonitorState:
        """The last state."""
        return self.states[-1]


_RESULTS: tuple[CheckResult, ...] = (
    GpuInventory(),
    GpuInventory(gpus=(Gpu(slot="3b:00.0", product_id="", description="", is_free=True),)),
    CheckFailure(Reason.TIMED_OUT, "no answer within 5 s"),
    CheckFailure(Reason.CONNECTION_REFUSED),
)


@st.composite
def monitor_runs(draw: DrawFn, least: int = 0) -> MonitorRun:
    """Return runs with pauses that make the status stale, and a wall clock that jumps."""
    policy = draw(_policies())
    pauses = st.floats(0, 2 * policy.stale_after) | st.just(policy.stale_after)
    start = draw(_timestamps())
    now = start.monotonic
    checks: list[Check] = []
    for result in draw(st.lists(st.sampled_from(_RESULTS), min_size=least, max_size=6)):
        started = now + draw(pauses)
        now = started + draw(st.floats(0, policy.timeout))
        utc = start.utc + timedelta(seconds=draw(st.integers(-9999, 9999)))
        checks.append(Check(result=result, started=started, finished=Timestamp(now, utc)))
    return MonitorRun(policy, start, tuple(checks), now + draw(pauses))
