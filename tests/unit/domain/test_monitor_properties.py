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
from dstack_backend.testing.strategies import HistoryStore, histories


@given(histories())
def test_available_status_never_outlives_its_evidence(history: HistoryStore) -> None:
    """While it is available, a check has finished within `stale_after`."""
    status = status_at(history.state, history.now, history.policy)
    if status.status is Status.AVAILABLE:
        last = history.checks[-1].finished.monotonic
        assert history.now <= last + history.policy.stale_after


@given(histories(least=1))
def test_status_is_stale_exactly_after_the_limit(history: HistoryStore) -> None:
    """Once a check is older than `stale_after`, the reason is `stale`, whatever was before."""
    limit = stale_at(history.state, history.policy)
    assert limit is not None
    reason = status_at(history.state, history.now, history.policy).reason
    assert (reason is Reason.STALE) == (history.now > limit)


@given(histories())
def test_available_status_has_the_effective_inventory(history: HistoryStore) -> None:
    """It is one of those that checks returned."""
    status = status_at(history.state, history.now, history.policy)
    if status.status is Status.AVAILABLE:
        assert status.inventory == history.state.effective_result
        assert status.inventory in [check.result for check in history.checks]


@given(histories(least=1))
def test_change_needs_a_threshold_of_results_in_a_row(history: HistoryStore) -> None:
    """A fresh status contradicts the last result only while its streak is below the threshold."""
    policy = history.policy
    last = history.checks[-1]
    effective_result = effective_result_at(history.state, last.finished.monotonic, policy)
    is_good = isinstance(last.result, GpuInventory)
    if isinstance(effective_result, GpuInventory) == is_good:
        assert effective_result == last.result
    else:
        needed = policy.recovery_threshold if is_good else policy.failure_threshold
        assert history.state.streak < needed


@given(histories(least=1))
def test_threshold_of_results_in_a_row_decides(history: HistoryStore) -> None:
    """After as many results in a row as the threshold asks for, the status is theirs."""
    is_good = isinstance(history.checks[-1].result, GpuInventory)
    policy = history.policy
    needed = policy.recovery_threshold if is_good else policy.failure_threshold
    assume(history.state.streak >= needed)
    status = status_at(history.state, history.checks[-1].finished.monotonic, policy)
    assert (status.status is Status.AVAILABLE) == is_good


@given(histories(least=1))
def test_next_check_is_due_within_an_interval(history: HistoryStore) -> None:
    """It is never before the end of the last one, never later than an interval after its start."""
    last = history.checks[-1]
    end = last.finished.monotonic
    due = next_check_at(history.state, history.policy)
    assert due is not None
    assert end <= due <= max(end, last.started + history.policy.interval)


@given(histories(least=1))
def test_hinted_checks_are_a_second_apart(history: HistoryStore) -> None:
    """A regular check does not delay the next hinted one; a hinted check does."""
    before, last = history.states[-2], history.checks[-1]
    after = observe(before, replace(last, is_hinted=True), history.policy)
    assert earliest_hinted_check(after) == last.started + 1
    regular = observe(before, replace(last, is_hinted=False), history.policy)
    assert earliest_hinted_check(regular) == earliest_hinted_check(before)


@given(histories())
def test_since_is_between_the_start_and_now(history: HistoryStore) -> None:
    """The last change has happened, and not before the monitor started."""
    since = status_since(history.state, history.now, history.policy)
    assert history.start.monotonic <= since.monotonic <= history.now


@given(histories(least=1))
def test_since_changes_exactly_when_the_status_changes(history: HistoryStore) -> None:
    """From one check to the next, `since` differs if and only if the status differs."""
    before, after = history.states[-2:]
    second = history.checks[-1].finished.monotonic
    old, new = (status_at(state, second, history.policy) for state in (before, after))
    was, now_is = (status_since(state, second, history.policy) for state in (before, after))
    change = change_between(old, new, now_is)
    assert now_is == (history.checks[-1].finished if change and change.is_transition else was)


@given(histories())
def test_wall_clock_decides_nothing(history: HistoryStore) -> None:
    """With another wall clock, status and due time are the same."""
    other = replace(
        history,
        start=replace(history.start, utc=EPOCH),
        checks=tuple(
            replace(check, finished=replace(check.finished, utc=EPOCH)) for check in history.checks
        ),
    )
    policy = history.policy
    assert status_at(other.state, other.now, policy) == status_at(
        history.state, history.now, policy
    )
    assert next_check_at(other.state, policy) == next_check_at(history.state, policy)


@given(histories(least=1))
def test_state_agrees_with_the_checks(history: HistoryStore) -> None:
    """Last check, last success and consecutive failures are those of the sequence."""
    state = history.state
    good = [each.finished for each in history.checks if each.failure is None]
    assert state.last_check == history.checks[-1]
    assert state.last_success == (good[-1] if good else None)
    failed = [check.failure is not None for check in history.checks]
    assert state.consecutive_failures == ([False, *failed][::-1]).index(False)


@given(histories(least=1))
def test_observe_is_pure(history: HistoryStore) -> None:
    """The same check on the same state returns the same next state."""
    before = history.states[-2]
    assert observe(before, history.checks[-1], history.policy) == history.state


@given(histories())
def test_report_agrees_with_the_status(history: HistoryStore) -> None:
    """Status, reason, message and inventory are the same in both."""
    result = report(history.state, history.now, history.policy)
    status = status_at(history.state, history.now, history.policy)
    assert (result.status, result.reason, result.message) == (
        status.status,
        status.reason,
        status.message,
    )
    assert (result.inventory is not None) == (result.status is Status.AVAILABLE)
    assert (result.reason is None) == (result.status is Status.AVAILABLE)
