"""The monitor's rules against a model of them: any sequence of checks, pauses and hints."""

from datetime import datetime, timedelta

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
    earliest_hinted_check,
    effective_result_at,
    encode_health,
    next_check_at,
    observe,
    report,
    stale_at,
    status_at,
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
)


class MonitorMachine(RuleBasedStateMachine):
    """Checks that come when they are due, late or after a hint; a wall clock that jumps."""

    now: float
    wall: datetime
    model: Model
    state: MonitorState
    planned: float

    @initialize(policy=POLICIES, start=QUARTERS)
    def begin(self, policy: CheckPolicy, start: float) -> None:
        """A monitor that knows nothing."""
        self.now = start
        self.wall = EPOCH
        self.model = Model(policy, self.moment(), [])
        self.state = MonitorState(since=self.moment())
        self.planned = self.model.next_check()

    def moment(self) -> Timestamp:
        """Both clocks."""
        return Timestamp(self.now, self.wall)

    @rule(seconds=QUARTERS)
    def time_passes(self, seconds: float) -> None:
        """Nothing else happens: this is what makes a status stale."""
        self.now += seconds

    @rule(beyond=st.sampled_from((0.0, 0.25)))
    def time_passes_to_the_edge(self, beyond: float) -> None:
        """To the last moment at which the last check counts, or to the one after."""
        limit = stale_at(self.state, self.model.policy)
        self.now = max(self.now, limit + beyond) if limit is not None else self.now

    @rule(seconds=st.integers(-(10**6), 10**6))
    def the_wall_clock_is_set(self, seconds: int) -> None:
        """Nothing but what is shown may depend on it."""
        self.wall = EPOCH + timedelta(seconds=seconds)

    @rule()
    def a_hint_comes(self) -> None:
        """The next check is brought forward, as far as a hint may."""
        hinted = max(self.now, self.model.hinted_check())
        assert hinted == max(self.now, earliest_hinted_check(self.state))
        self.planned = min(self.planned, hinted)

    @rule(inventory=inventories(), took=QUARTERS)
    def a_check_succeeds(self, inventory: GpuInventory, took: float) -> None:
        """An inventory, at once or after a while."""
        self.check(inventory, took)

    @rule(failure=failures(), took=QUARTERS)
    def a_check_fails(self, failure: CheckFailure, took: float) -> None:
        """A failure of any reason, at once or after a while."""
        self.check(failure, took)

    def check(self, result: CheckResult, took: float) -> None:
        """Let the next check run, when it is planned or now where that is past."""
        started = max(self.now, self.planned)
        self.now = started + took
        check = Check(result=result, started=started, finished=self.moment())
        self.model = Model(self.model.policy, self.model.start, [*self.model.checks, check])
        self.state = observe(self.state, check, self.model.policy)
        self.planned = self.model.next_check()

    @invariant()
    def what_holds_is_what_the_rules_say(self) -> None:
        """The result on which the status rests, or why there is none."""
        result = effective_result_at(self.state, self.now, self.model.policy)
        expected = self.model.effective_result(self.now)
        if isinstance(expected, str):
            assert isinstance(result, CheckFailure)
            assert result.reason == expected
        else:
            assert result == expected

    @invariant()
    def status_report_and_answer_agree(self) -> None:
        """Nobody is told another status than the result means."""
        status = status_at(self.state, self.now, self.model.policy)
        told = report(self.state, self.now, self.model.policy)
        up = isinstance(self.model.effective_result(self.now), GpuInventory)
        assert (status.status is Status.AVAILABLE) == up
        assert (told.status, told.reason, told.detail) == (
            status.status,
            status.reason,
            status.message,
        )
        assert encode_health(status).available == up
        assert msgspec.json.decode(encode_health(status).body)["status"] == status.status

    @invariant()
    def it_has_held_since_it_turned(self) -> None:
        """The moment of the last turn, a turn to stale included."""
        since = status_since(self.state, self.now, self.model.policy)
        assert since == self.model.since(self.now)
        assert report(self.state, self.now, self.model.policy).last_change == since.utc

    @invariant()
    def the_next_check_is_due_when_the_rules_say(self) -> None:
        """By the clock, and by a hint; and the last one counts until then."""
        assert next_check_at(self.state, self.model.policy) == self.model.next_check()
        assert earliest_hinted_check(self.state) == self.model.hinted_check()
        assert stale_at(self.state, self.model.policy) == self.model.stale_at()

    @invariant()
    def what_came_is_counted(self) -> None:
        """The failures in a row, the last success, and the version that it named."""
        told = report(self.state, self.now, self.model.policy)
        good = self.model.last_good()
        assert told.consecutive_failures == self.state.consecutive_failures == self.model.failures()
        assert told.last_success == (good[0].utc if good else None)
        assert told.dstack_version == (good[1].source_version if good else None)


MonitorMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestMonitor = MonitorMachine.TestCase
