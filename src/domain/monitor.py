"""The monitor's rules: when a status turns, when it goes stale, when the next check is due.

Nothing here knows a clock or a loop: moments come in as values, the next state goes out.

1. Before the first check has finished the node is unavailable: `starting`.
2. The first result decides at once. From then on a result that contradicts the status turns it
   when as many of its sort came in a row as the threshold asks: `failure_threshold` failures, or
   `recovery_threshold` inventories. A result that agrees replaces the older one of its sort.
3. A status cannot outlive its evidence. When no check has finished for longer than three intervals
   and the timeout, the node is unavailable: `stale`. An available that went stale is not kept
   through a threshold either: a failure that comes then decides at once.
4. The next check starts an interval after the start of the last one. After a failure it starts
   sooner: 1 s after the end of the failed one, then 2 s, 4 s and so on, up to the interval.
5. A hint that the source has gone or come back asks for a check now; one that comes within a second
   of the last check waits for that second to pass, so that no hints make a storm.
"""

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.failure import CheckFailure, Reason
from dstack_backend.domain.gpu.inventory import GpuInventory
from dstack_backend.domain.status import BackendStatus, assess
from dstack_backend.domain.timestamp import Timestamp

__all__ = [
    "CheckPolicy",
    "MonitorState",
    "earliest_hinted_check",
    "effective_result_at",
    "next_check_at",
    "observe",
    "stale_at",
    "status_at",
    "status_since",
]

FIRST_RETRY = 1.0
"""Seconds from the end of a first failed check to the start of the next."""


HINT_PAUSE = 1.0
"""Seconds from the end of a check to the earliest one that a hint asks for."""


class CheckPolicy(Struct, frozen=True, kw_only=True):
    """What an operator decides about the checks.

    Attributes:
        interval: Seconds from the start of a check to the start of the next.
        timeout: Seconds that one check may take in total.
        failure_threshold: Failures in a row that turn available to unavailable.
        recovery_threshold: Good checks in a row that turn unavailable to available.
    """

    interval: float = 10.0
    timeout: float = 5.0
    failure_threshold: int = 1
    recovery_threshold: int = 1

    @property
    def stale_after(self) -> float:
        """Seconds after the end of the last check from which nothing is known any more."""
        return 3 * self.interval + self.timeout


class MonitorState(Struct, frozen=True, kw_only=True):
    """All that the monitor remembers.

    Attributes:
        since: When the status last turned; at first, when the monitor started.
        standing: The result on which the status rests; `None` before the first check.
        last_check: The check that finished last.
        last_success: When a check last brought an inventory.
        streak: How many of the last checks in a row were of the last one's sort.
        source_version: What the source of GPUs last said of its own version.
    """

    since: Timestamp
    effective_result: CheckResult | None = None
    last_check: Check | None = None
    last_success: Timestamp | None = None
    streak: int = 0
    source_version: str | None = None

    @property
    def consecutive_failures(self) -> int:
        """How many of the last checks in a row failed."""
        return self.streak if self.last_check and self.last_check.failure else 0


def observe(state: MonitorState, check: Check, policy: CheckPolicy) -> MonitorState:
    """Give the state after a check has finished."""
    now = check.finished
    last = state.last_check
    in_a_row = last is not None and (last.failure is None) == (check.failure is None)
    streak = state.streak + 1 if in_a_row else 1
    effective_result = _effective_result(state, check, streak, policy)
    turned = assess(effective_result).status != status_at(state, now.monotonic, policy).status
    after = MonitorState(
        since=now if turned else status_since(state, now.monotonic, policy),
        effective_result=effective_result,
        last_check=check,
        last_success=state.last_success,
        streak=streak,
        source_version=state.source_version,
    )
    if isinstance(check.result, GpuInventory):
        return replace(after, last_success=now, source_version=check.result.source_version)
    return after


def _effective_result(
    state: MonitorState, check: Check, streak: int, policy: CheckPolicy
) -> CheckResult:
    """Rules 2 and 3: which result the status rests on after this check."""
    if state.effective_result is None:
        return check.result
    available = isinstance(state.effective_result, GpuInventory)
    contradicts = available == isinstance(check.result, CheckFailure)
    if not contradicts:
        return check.result
    threshold = policy.failure_threshold if available else policy.recovery_threshold
    lapsed = available and _is_stale(state, check.finished.monotonic, policy)
    return check.result if streak >= threshold or lapsed else state.effective_result


def effective_result_at(state: MonitorState, now: float, policy: CheckPolicy) -> CheckResult:
    """Give the result that holds at `now` (seconds, monotonic), rules 1 and 3 included."""
    if state.effective_result is None or state.last_check is None:
        return CheckFailure(Reason.STARTING)
    if _is_stale(state, now, policy):
        age = int(now - state.last_check.finished.monotonic)
        return CheckFailure(Reason.STALE, f"the last check finished {age} s ago")
    return state.effective_result


def status_at(state: MonitorState, now: float, policy: CheckPolicy) -> BackendStatus:
    """Give the node's status at `now` (seconds, monotonic)."""
    return assess(effective_result_at(state, now, policy))


def status_since(state: MonitorState, now: float, policy: CheckPolicy) -> Timestamp:
    """Give the moment from which the status that holds at `now` has held."""
    available = isinstance(state.effective_result, GpuInventory)
    if available and state.last_check and _is_stale(state, now, policy):
        return state.last_check.finished + policy.stale_after
    return state.since


def stale_at(state: MonitorState, policy: CheckPolicy) -> float | None:
    """Give the last second (monotonic) up to which the last check counts; `None` before one."""
    if state.last_check is None:
        return None
    return state.last_check.finished.monotonic + policy.stale_after


def _is_stale(state: MonitorState, now: float, policy: CheckPolicy) -> bool:
    limit = stale_at(state, policy)
    return limit is not None and now > limit


def next_check_at(state: MonitorState, policy: CheckPolicy) -> float:
    """Give the second (monotonic) at which the next check is due."""
    last = state.last_check
    if last is None:
        return state.since.monotonic
    finished = last.finished.monotonic
    regular = max(last.started + policy.interval, finished)
    failures = state.consecutive_failures
    if not failures:
        return regular
    # An exponent without a bound would overflow in a night of failures.
    wait = FIRST_RETRY * 2.0 ** min(failures - 1, 30)
    return min(finished + wait, regular)


def earliest_hinted_check(state: MonitorState) -> float:
    """Give the second (monotonic) from which on a hint is followed."""
    last = state.last_check
    return last.finished.monotonic + HINT_PAUSE if last else state.since.monotonic
