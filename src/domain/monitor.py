"""The rules of the monitor: when the status changes, goes stale, and when the next check is due.

Everything here is pure: timestamps are arguments, the next state is the return value.

1. Before the first check has finished the node is unavailable: `starting`.
2. The first result takes effect at once. After it, a result that contradicts the status takes
   effect when as many of its kind came in a row as the threshold asks for: `failure_threshold`
   failures, or `recovery_threshold` inventories. A result that agrees replaces the older one of
   its kind. A hinted check within 0.5 s of the start of one of its kind repeats it, and does not
   count.
3. A status does not outlive its evidence. When no check has finished for longer than three
   intervals plus the timeout, the node is unavailable: `stale`. No threshold protects an available
   status that went stale: a failure that comes then takes effect at once.
4. The next check starts one interval after the start of the last one. After a failure it starts
   earlier: 1 s after the end of the failed one, then 2 s, 4 s and so on, up to the interval. After
   one that timed out it starts later, as the source may still work on the request: the timeout
   after the end (at least 1 s), then twice that and so on, up to two intervals, so that the status
   does not go stale.
5. A hint that the source has gone or come back causes a check at once, whatever the time since the
   last regular check. Hinted checks start at least 1 s apart.
6. GPUs are compared from check to check (`domain.gpu.tracking`). Where a loss needs confirmation,
   the next check comes 1 s after the end of the last one. With fewer GPUs than `min_gpus` the node
   is unavailable: `too_few_gpus`.
"""

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.check import Check, CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu.inventory import GpuInventory
from dstack_backend.domain.gpu.state import GpuState
from dstack_backend.domain.gpu.tracking import interrupt, track
from dstack_backend.domain.status import BackendStatus, Status, assess
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

MIN_HINT_INTERVAL = 1.0
"""Seconds from the start of a hinted check to the earliest start of the next one."""

SAME_OBSERVATION = 0.5
"""Seconds from the start of a check within which a hinted one of its kind repeats it."""


class CheckPolicy(Struct, frozen=True, kw_only=True):
    """What an operator configures about the checks.

    Attributes:
        interval: Seconds from the start of a check to the start of the next.
        timeout: Seconds that one check may take in total.
        failure_threshold: Failures in a row that change available to unavailable.
        recovery_threshold: Good checks in a row that change unavailable to available.
        min_gpus: GPUs below which the node is unavailable; 0 for none.
    """

    interval: float = 10.0
    timeout: float = 5.0
    failure_threshold: int = 1
    recovery_threshold: int = 1
    min_gpus: int = 0

    @property
    def stale_after(self) -> float:
        """Seconds after the end of the last check from which the status is stale."""
        return 3 * self.interval + self.timeout


class MonitorState(Struct, frozen=True, kw_only=True):
    """Everything that the monitor remembers.

    Attributes:
        since: When the status last changed; at first, when the monitor started.
        effective_result: The result on which the status is based; `None` before the first check.
        last_check: The check that finished last.
        last_success: When a check last returned an inventory.
        streak: How many of the last checks in a row were of the same kind; rule 2.
        source_version: The version that the source reported last.
        last_hinted: When the last hinted check started, in seconds on the monotonic clock.
        gpus: What is known of the GPUs; `None` while no inventory of GPUs is known.
    """

    since: Timestamp
    effective_result: CheckResult | None = None
    last_check: Check | None = None
    last_success: Timestamp | None = None
    streak: int = 0
    source_version: str | None = None
    last_hinted: float | None = None
    gpus: GpuState | None = None

    @property
    def consecutive_failures(self) -> int:
        """How many of the last checks in a row failed."""
        return self.streak if self.last_check and self.last_check.failure else 0


def observe(state: MonitorState, check: Check, policy: CheckPolicy) -> MonitorState:
    """Return the state after a check has finished."""
    now = check.finished
    last = state.last_check
    in_a_row = last is not None and (last.failure is None) == (check.failure is None)
    repeats = check.is_hinted and last and check.started - last.started < SAME_OBSERVATION
    streak = state.streak + (not repeats) if in_a_row else 1
    after = replace(
        state,
        effective_result=_effective_result(state, check, streak, policy),
        last_check=check,
        streak=streak,
        last_hinted=check.started if check.is_hinted else state.last_hinted,
        gpus=_gpus(state.gpus, check, policy),
    )
    has_changed = _held_status(after, policy) != status_at(state, now.monotonic, policy).status
    since = now if has_changed else status_since(state, now.monotonic, policy)
    if isinstance(check.result, CheckFailure):
        return replace(after, since=since)
    version = check.result.source_version
    return replace(after, since=since, last_success=now, source_version=version)


def _gpus(gpus: GpuState | None, check: Check, policy: CheckPolicy) -> GpuState | None:
    if isinstance(check.result, GpuInventory):
        return track(gpus, check.result, check.finished, policy.stale_after)
    return interrupt(gpus) if gpus and check.failure else None


def _effective_result(
    state: MonitorState, check: Check, streak: int, policy: CheckPolicy
) -> CheckResult:
    """Apply rules 2 and 3."""
    if state.effective_result is None:
        return check.result
    is_available = _is_inventory(state.effective_result)
    if is_available == _is_inventory(check.result):
        return check.result
    threshold = policy.failure_threshold if is_available else policy.recovery_threshold
    has_lapsed = is_available and _is_stale(state, check.finished.monotonic, policy)
    return check.result if streak >= threshold or has_lapsed else state.effective_result


def effective_result_at(state: MonitorState, now: float, policy: CheckPolicy) -> CheckResult:
    """Return the result that holds at `now` (seconds, monotonic), by rules 1 and 3."""
    if state.effective_result is None or state.last_check is None:
        return CheckFailure(Reason.STARTING)
    if _is_stale(state, now, policy):
        age = int(now - state.last_check.finished.monotonic)
        return CheckFailure(Reason.STALE, f"the last check finished {age} s ago")
    return state.effective_result


def status_at(state: MonitorState, now: float, policy: CheckPolicy) -> BackendStatus:
    """Return the status at `now` (seconds, monotonic)."""
    return _with_min_gpus(assess(effective_result_at(state, now, policy)), state, policy)


def _with_min_gpus(
    status: BackendStatus, state: MonitorState, policy: CheckPolicy
) -> BackendStatus:
    count = state.gpus.count if state.gpus else policy.min_gpus
    if status.status is Status.UNAVAILABLE or count >= policy.min_gpus:
        return status
    detail = f"{count} listed, at least {policy.min_gpus} required"
    return assess(CheckFailure(Reason.TOO_FEW_GPUS, detail))


def _held_status(state: MonitorState, policy: CheckPolicy) -> Status | None:
    """Return the status while it is not stale; `None` before the first check."""
    result = state.effective_result
    return _with_min_gpus(assess(result), state, policy).status if result is not None else None


def status_since(state: MonitorState, now: float, policy: CheckPolicy) -> Timestamp:
    """Return since when the status that holds at `now` (seconds, monotonic) has held."""
    was_available = _held_status(state, policy) is Status.AVAILABLE
    if was_available and state.last_check and _is_stale(state, now, policy):
        return state.last_check.finished + policy.stale_after
    return state.since


def stale_at(state: MonitorState, policy: CheckPolicy) -> float | None:
    """Return the last second (monotonic) at which the status holds; `None` before a check."""
    if state.last_check is None:
        return None
    return state.last_check.finished.monotonic + policy.stale_after


def _is_stale(state: MonitorState, now: float, policy: CheckPolicy) -> bool:
    limit = stale_at(state, policy)
    return limit is not None and now > limit


def _is_inventory(result: CheckResult) -> bool:
    return not isinstance(result, CheckFailure)


def next_check_at(state: MonitorState, policy: CheckPolicy) -> float:
    """Return the second (monotonic) at which the next check is due."""
    last = state.last_check
    if last is None:
        return state.since.monotonic
    finished = last.finished.monotonic
    regular = max(last.started + policy.interval, finished)
    if state.gpus and state.gpus.needs_confirmation:
        return min(finished + FIRST_RETRY, regular)
    failures = state.consecutive_failures
    if not failures:
        return regular
    # Without a bound the exponent would overflow in a night of failures.
    growth = 2.0 ** min(failures - 1, 30)
    if last.failure and last.failure.reason is Reason.TIMED_OUT:
        pause = max(FIRST_RETRY, policy.timeout) * growth
        return finished + min(pause, 2 * policy.interval)
    return min(finished + FIRST_RETRY * growth, regular)


def earliest_hinted_check(state: MonitorState) -> float:
    """Return the second (monotonic) from which on a hint causes a check; rule 5."""
    last = float("-inf") if state.last_hinted is None else state.last_hinted
    return last + MIN_HINT_INTERVAL
