"""Properties of the monitor after any sequence of checks, with any policy."""

from hypothesis import assume, given
from msgspec.structs import replace

from dstack_backend.domain import (
    GpuInventory,
    Reason,
    Status,
    next_check_at,
    observe,
    report,
    status_at,
)
from dstack_backend.domain.monitor import (
    earliest_hinted_check,
    effective_result_at,
    stale_at,
    status_since,
)
from dstack_backend.domain.status import change_between
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.monitor_runs import MonitorRun, monitor_runs


@given(monitor_runs())
def test_available_status_never_outlives_its_evidence(run: MonitorRun) -> None:
    """While it is available, a check has finished within `stale_after`."""
    status = status_at(run.state, run.now, run.policy)
    if status.status is Status.AVAILABLE:
        last = run.checks[-1].finished.monotonic
        assert run.now <= last + run.policy.stale_after


@given(monitor_runs(least=1))
def test_status_is_stale_exactly_after_the_limit(run: MonitorRun) -> None:
    """Once a check is older than `stale_after`, the reason is `stale`, whatever was before."""
    limit = stale_at(run.state, run.policy)
    assert limit is not None
    reason = status_at(run.state, run.now, run.policy).reason
    assert (reason is Reason.STALE) == (run.now > limit)


@given(monitor_runs())
def test_available_status_has_the_effective_inventory(run: MonitorRun) -> None:
    """It is one of those that checks returned."""
    status = status_at(run.state, run.now, run.policy)
    if status.status is Status.AVAILABLE:
        assert status.inventory == run.state.effective_result
        assert status.inventory in [check.result for check in run.checks]


@given(monitor_runs(least=1))
def test_change_needs_a_threshold_of_results_in_a_row(run: MonitorRun) -> None:
    """A fresh status contradicts the last result only while its streak is below the threshold."""
    policy = run.policy
    last = run.checks[-1]
    effective_result = effective_result_at(run.state, last.finished.monotonic, policy)
    is_good = isinstance(last.result, GpuInventory)
    if isinstance(effective_result, GpuInventory) == is_good:
        assert effective_result == last.result
    else:
        needed = policy.recovery_threshold if is_good else policy.failure_threshold
        assert run.state.streak < needed


@given(monitor_runs(least=1))
def test_threshold_of_results_in_a_row_decides(run: MonitorRun) -> None:
    """After as many results in a row as the threshold asks for, the status is theirs."""
    is_good = isinstance(run.checks[-1].result, GpuInventory)
    policy = run.policy
    needed = policy.recovery_threshold if is_good else policy.failure_threshold
    assume(run.state.streak >= needed)
    status = status_at(run.state, run.checks[-1].finished.monotonic, policy)
    assert (status.status is Status.AVAILABLE) == is_good


@given(monitor_runs(least=1))
def test_next_check_is_due_within_an_interval(run: MonitorRun) -> None:
    """It is never before the end of the last one, never later than an interval after its start.

    After a check that timed out it is due within two intervals after its end.
    """
    last = run.checks[-1]
    end = last.finished.monotonic
    due = next_check_at(run.state, run.policy)
    regular = max(end, last.started + run.policy.interval)
    hangs = last.failure is not None and last.failure.reason is Reason.TIMED_OUT
    assert end <= due <= (end + 2 * run.policy.interval if hangs else regular)


@given(monitor_runs(least=1))
def test_next_check_ends_before_the_status_is_stale(run: MonitorRun) -> None:
    """If it starts when it is due and ends within the timeout."""
    limit = stale_at(run.state, run.policy)
    assert limit is not None
    assert next_check_at(run.state, run.policy) + run.policy.timeout < limit


@given(monitor_runs(least=1))
def test_hinted_checks_are_a_second_apart(run: MonitorRun) -> None:
    """A regular check does not delay the next hinted one; a hinted check does."""
    before, last = run.states[-2], run.checks[-1]
    after = observe(before, replace(last, is_hinted=True), run.policy)
    assert earliest_hinted_check(after) == last.started + 1
    regular = observe(before, replace(last, is_hinted=False), run.policy)
    assert earliest_hinted_check(regular) == earliest_hinted_check(before)


@given(monitor_runs())
def test_since_is_between_the_start_and_now(run: MonitorRun) -> None:
    """The last change has happened, and not before the monitor started."""
    since = status_since(run.state, run.now, run.policy)
    assert run.start.monotonic <= since.monotonic <= run.now


@given(monitor_runs(least=1))
def test_since_changes_exactly_when_the_status_changes(run: MonitorRun) -> None:
    """From one check to the next, `since` differs if and only if the status differs."""
    before, after = run.states[-2:]
    second = run.checks[-1].finished.monotonic
    old, new = (status_at(state, second, run.policy) for state in (before, after))
    was, now_is = (status_since(state, second, run.policy) for state in (before, after))
    change = change_between(old, new, now_is)
    assert now_is == (run.checks[-1].finished if change and change.is_transition else was)


@given(monitor_runs())
def test_wall_clock_decides_nothing(run: MonitorRun) -> None:
    """With another wall clock, status and due time are the same."""
    other = replace(
        run,
        start=replace(run.start, utc=EPOCH),
        checks=tuple(
            replace(check, finished=replace(check.finished, utc=EPOCH)) for check in run.checks
        ),
    )
    policy = run.policy
    assert status_at(other.state, other.now, policy) == status_at(run.state, run.now, policy)
    assert next_check_at(other.state, policy) == next_check_at(run.state, policy)


@given(monitor_runs(least=1))
def test_state_agrees_with_the_checks(run: MonitorRun) -> None:
    """Last check, last success and consecutive failures are those of the sequence."""
    state = run.state
    good = [each.finished for each in run.checks if each.failure is None]
    assert state.last_check == run.checks[-1]
    assert state.last_success == (good[-1] if good else None)
    failed = [check.failure is not None for check in run.checks]
    assert state.consecutive_failures == ([False, *failed][::-1]).index(False)


@given(monitor_runs(least=1))
def test_observe_is_pure(run: MonitorRun) -> None:
    """The same check on the same state returns the same next state."""
    before = run.states[-2]
    assert observe(before, run.checks[-1], run.policy) == run.state


@given(monitor_runs())
def test_report_agrees_with_the_status(run: MonitorRun) -> None:
    """Status, reason, message and inventory are the same in both."""
    result = report(run.state, run.now, run.policy)
    status = status_at(run.state, run.now, run.policy)
    assert (result.status, result.reason, result.message) == (
        status.status,
        status.reason,
        status.message,
    )
    assert (result.inventory is not None) == (result.status is Status.AVAILABLE)
    assert (result.reason is None) == (result.status is Status.AVAILABLE)
