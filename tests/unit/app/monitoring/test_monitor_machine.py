"""The monitor's rules against their model: any sequence of checks, pauses and hints."""

from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckPolicy,
    CheckResult,
    GpuInventory,
    MonitorState,
    Status,
    Timestamp,
    encode_health,
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
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import failures, inventories
from tests.unit.domain.monitor_model import Model

__all__ = ["MonitorMachine"]

# Quarters of a second are exact: the model and the domain may add them up in any order.
QUARTERS = st.integers(0, 400).map(lambda number: number / 4)
POLICIES = st.builds(
    CheckPolicy,
    interval=st.sampled_from((0.25, 1.0, 10.0, 60.0)),
    timeout=st.sampled_from((0.25, 5.0, 30.0)),
    failure_threshold=st.integers(1, 4),
    recovery_threshold=st.integers(1, 4),
    min_gpus=st.sampled_from((0, 1, 2)),
)


class MonitorMachine(RuleBasedStateMachine):
    """Checks that start when they are due, late or after a hint; a wall clock that is set."""

    now: float
    wall: datetime
    model: Model
    state: MonitorState
    due: float
    is_hinted: bool

    @initialize(policy=POLICIES, start=QUARTERS)
    def begin(self, policy: CheckPolicy, start: float) -> None:
        """A monitor that knows nothing."""
        self.now = start
        self.wall = EPOCH
        self.model = Model(policy, self.moment(), [])
        self.state = MonitorState(since=self.moment())
        self.plan()

    def plan(self) -> None:
        """Take the next check from the schedule; a hint may bring it forward."""
        self.due, self.is_hinted = self.model.next_check(), False

    def moment(self) -> Timestamp:
        """Return the time of both clocks."""
        return Timestamp(self.now, self.wall)

    @rule(seconds=QUARTERS)
    def time_passes(self, seconds: float) -> None:
        """A status may become stale."""
        self.now += seconds

    @rule(beyond=st.sampled_from((0.0, 0.25)))
    def time_passes_to_the_edge(self, beyond: float) -> None:
        """To the last time at which the last check counts, or just after it."""
        limit = stale_at(self.state, self.model.policy)
        self.now = max(self.now, limit + beyond) if limit is not None else self.now

    @rule(seconds=st.integers(-(10**6), 10**6))
    def the_wall_clock_is_set(self, seconds: int) -> None:
        """Only what is displayed may depend on it."""
        self.wall = EPOCH + timedelta(seconds=seconds)

    @rule()
    def a_hint_comes(self) -> None:
        """It brings the next check forward, but not to within a second of the last hinted one."""
        earliest = max(self.now, self.model.earliest_hinted_check())
        assert earliest == max(self.now, earliest_hinted_check(self.state))
        if earliest < self.due:
            self.due, self.is_hinted = earliest, True

    @rule(inventory=inventories(), took=QUARTERS)
    def a_check_succeeds(self, inventory: GpuInventory, took: float) -> None:
        """An inventory, at once or after a while."""
        self.check(inventory, took)

    @rule(failure=failures(), took=QUARTERS)
    def a_check_fails(self, failure: CheckFailure, took: float) -> None:
        """A failure of any reason, at once or after a while."""
        self.check(failure, took)

    def check(self, result: CheckResult, took: float) -> None:
        """Run the next check when it is due, or now where that is past."""
        started = max(self.now, self.due)
        self.now = started + took
        finished = self.moment()
        check = Check(result=result, started=started, finished=finished, is_hinted=self.is_hinted)
        self.model = Model(self.model.policy, self.model.start, [*self.model.checks, check])
        self.state = observe(self.state, check, self.model.policy)
        self.plan()

    @invariant()
    def effective_result_follows_the_rules(self) -> None:
        """The result on which the status is based, or the reason for none."""
        result = effective_result_at(self.state, self.now, self.model.policy)
        expected = self.model.effective_result(self.now)
        if isinstance(expected, str):
            assert isinstance(result, CheckFailure)
            assert result.reason == expected
        else:
            assert result == expected

    @invariant()
    def status_report_and_response_agree(self) -> None:
        """All are those of the effective result."""
        status = status_at(self.state, self.now, self.model.policy)
        shown = report(self.state, self.now, self.model.policy)
        result = self.model.effective_result(self.now)
        up = isinstance(result, GpuInventory)
        if up and not self.model.is_up_after(len(self.model.checks) - 1):
            assert status.reason == "too_few_gpus"
            up = False
        assert (status.status is Status.AVAILABLE) == up
        assert (shown.status, shown.reason, shown.message) == (
            status.status,
            status.reason,
            status.message,
        )
        assert encode_health(status).is_available == up
        assert msgspec.json.decode(encode_health(status).body)["status"] == status.status

    @invariant()
    def since_is_the_last_change(self) -> None:
        """Going stale is a change, too."""
        since = status_since(self.state, self.now, self.model.policy)
        assert since == self.model.since(self.now)
        assert report(self.state, self.now, self.model.policy).last_change == since.utc

    @invariant()
    def next_check_and_stale_time_follow_the_rules(self) -> None:
        """On schedule, and for a hint."""
        assert next_check_at(self.state, self.model.policy) == self.model.next_check()
        assert earliest_hinted_check(self.state) == self.model.earliest_hinted_check()
        assert stale_at(self.state, self.model.policy) == self.model.stale_at()

    @invariant()
    def hinted_checks_start_a_second_apart(self) -> None:
        """However many hints there are."""
        hinted = [check.started for check in self.model.checks if check.is_hinted]
        assert all(after - before >= 1 for before, after in pairwise(hinted))

    @invariant()
    def gpus_follow_the_rules(self) -> None:
        """Nothing is reported of GPUs before a check has listed some, or none."""
        shown = report(self.state, self.now, self.model.policy)
        gpus = self.model.gpus()
        if not gpus.good():
            assert (shown.degraded, shown.missing) == (msgspec.UNSET, msgspec.UNSET)
            return
        assert isinstance(shown.missing, tuple)
        missing = {(each.slot, each.last_seen) for each in shown.missing}
        assert missing == {(key[0], last_seen) for key, last_seen in gpus.missing().items()}
        assert shown.degraded == (bool(missing) or not gpus.present())

    @invariant()
    def report_counts_the_checks(self) -> None:
        """The failures in a row, the last success and its version."""
        shown = report(self.state, self.now, self.model.policy)
        good = self.model.last_good()
        assert (
            shown.consecutive_failures == self.state.consecutive_failures == self.model.failures()
        )
        assert shown.last_success == (good[0].utc if good else None)
        assert shown.source_version == (good[1].source_version if good else None)


MonitorMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestMonitor = MonitorMachine.TestCase
