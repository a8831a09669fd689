"""What holds of the monitor after any sequence of checks, with any policy."""

from hypothesis import assume, given
from msgspec.structs import replace

from dstack_backend.domain import (
    GpuInventory,
    Reason,
    Status,
    change_between,
    effective_result_at,
    next_check_at,
    observe,
    report,
    stale_at,
    status_at,
    status_since,
)
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import HistoryStore, histories


@given(histories())
def test_availability_never_outlives_its_evidence(history: HistoryStore) -> None:
    """While it is available, a check has finished within `stale_after`."""
    status = status_at(history.state, history.now, history.policy)
    if status.status is Status.AVAILABLE:
        last = history.checks[-1].finished.monotonic
        assert history.now <= last + history.policy.stale_after


@given(histories(least=1))
def test_after_the_limit_nothing_is_known(history: HistoryStore) -> None:
    """Once a check is older than `stale_after`, the reason is `stale`, whatever was before."""
    limit = stale_at(history.state, history.policy)
    assert limit is not None
    reason = status_at(history.state, history.now, history.policy).reason
    assert (reason is Reason.STALE) == (history.now > limit)


@given(histories())
def test_it_is_available_only_on_an_inventory_that_a_check_brought(history: HistoryStore) -> None:
    """What an available status shows is one of the inventories, and the standing one."""
    status = status_at(history.state, history.now, history.policy)
    if status.status is Status.AVAILABLE:
        assert status.inventory == history.state.effective_result
        assert status.inventory in [check.result for check in history.checks]


@given(histories(least=1))
def test_a_turn_needs_a_threshold_of_results_in_a_row(history: HistoryStore) -> None:
    """A fresh status contradicts the last result only while fewer than the threshold came."""
    policy = history.policy
    last = history.checks[-1]
    effective_result = effective_result_at(history.state, last.finished.monotonic, policy)
    brought = isinstance(last.result, GpuInventory)
    if isinstance(effective_result, GpuInventory) == brought:
        assert effective_result == last.result
    else:
        needed = policy.recovery_threshold if brought else policy.failure_threshold
        assert history.state.streak < needed


@given(histories(least=1))
def test_enough_results_of_one_sort_always_decide(history: HistoryStore) -> None:
    """After as many results in a row as the threshold asks, the status is theirs."""
    brought = isinstance(history.checks[-1].result, GpuInventory)
    policy = history.policy
    needed = policy.recovery_threshold if brought else policy.failure_threshold
    assume(history.state.streak >= needed)
    status = status_at(history.state, history.checks[-1].finished.monotonic, policy)
    assert (status.status is Status.AVAILABLE) == brought


@given(histories(least=1))
def test_the_next_check_is_due_after_the_last_and_soon_enough(history: HistoryStore) -> None:
    """It is never before the last one's end, never later than an interval after its start."""
    last = history.checks[-1]
    end = last.finished.monotonic
    due = next_check_at(history.state, history.policy)
    assert due is not None
    assert end <= due <= max(end, last.started + history.policy.interval)


@given(histories())
def test_since_is_never_in_the_future(history: HistoryStore) -> None:
    """The moment of the last turn has been, and not before the monitor's start."""
    since = status_since(history.state, history.now, history.policy)
    assert history.start.monotonic <= since.monotonic <= history.now


@given(histories(least=1))
def test_since_moves_exactly_when_the_status_turns(history: HistoryStore) -> None:
    """From one check to the next, `since` is another moment if and only if the status turned."""
    before, after = history.states[-2:]
    second = history.checks[-1].finished.monotonic
    old, new = (status_at(state, second, history.policy) for state in (before, after))
    was, now_is = (status_since(state, second, history.policy) for state in (before, after))
    change = change_between(old, new, now_is)
    assert now_is == (history.checks[-1].finished if change and change.is_transition else was)


@given(histories())
def test_the_wall_clock_decides_nothing(history: HistoryStore) -> None:
    """With another wall clock, status and due time are the same."""
    calm = replace(
        history,
        start=replace(history.start, utc=EPOCH),
        checks=tuple(
            replace(check, finished=replace(check.finished, utc=EPOCH)) for check in history.checks
        ),
    )
    policy = history.policy
    assert status_at(calm.state, calm.now, policy) == status_at(history.state, history.now, policy)
    assert next_check_at(calm.state, policy) == next_check_at(history.state, policy)


@given(histories(least=1))
def test_the_state_counts_what_came(history: HistoryStore) -> None:
    """Last check, last success and the row of failures are those of the history."""
    state = history.state
    good = [each.finished for each in history.checks if each.failure is None]
    assert state.last_check == history.checks[-1]
    assert state.last_success == (good[-1] if good else None)
    failed = [check.failure is not None for check in history.checks]
    assert state.consecutive_failures == ([False, *failed][::-1]).index(False)


@given(histories(least=1))
def test_observing_is_pure(history: HistoryStore) -> None:
    """The same check on the same state gives the same next state."""
    before = history.states[-2]
    assert observe(before, history.checks[-1], history.policy) == history.state


@given(histories())
def test_the_report_agrees_with_the_status(history: HistoryStore) -> None:
    """Nobody reads one status here and another one there."""
    told = report(history.state, history.now, history.policy)
    status = status_at(history.state, history.now, history.policy)
    assert (told.status, told.reason, told.detail) == (
        status.status,
        status.reason,
        status.message,
    )
    assert (told.inventory is not None) == (told.status is Status.AVAILABLE)
    assert (told.reason is None) == (told.status is Status.AVAILABLE)
