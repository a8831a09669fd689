"""The monitor's rules as timelines: the checks that finished, and the status after each.

Every policy here has an interval of 10 s and a timeout of 5 s unless it says otherwise, so that a
status is stale when more than 35 s have passed since the last check.
"""

import pytest
from msgspec.structs import replace

from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckPolicy,
    CheckResult,
    Gpu,
    GpuInventory,
    MonitorState,
    Reason,
    Timestamp,
    observe,
    status_at,
)
from dstack_backend.domain.monitor import (
    effective_result_at,
    stale_at,
    status_since,
)
from dstack_backend.testing.fakes import EPOCH

START = Timestamp(0.0, EPOCH)
GOOD = GpuInventory(source_version="v0.5.11")
ONE_GPU = GpuInventory(
    gpus=(Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True),)
)
BAD = CheckFailure(Reason.CONNECTION_REFUSED)
WORSE = CheckFailure(Reason.TIMED_OUT)

Timeline = list[tuple[float, CheckResult | None, str, float]]
"""Second; the result of a check that finished then, or none; the status; since which second."""


def finished_at(second: float, result: CheckResult) -> Check:
    """Return a check that took no time."""
    return Check(result=result, started=second, finished=START + second)


def status_code(state: MonitorState, second: float, policy: CheckPolicy) -> str:
    """Return the status, or why it is unavailable."""
    status = status_at(state, second, policy)
    return status.reason or status.status


TIMELINES = {
    "with fewer GPUs than required it is unavailable, and with enough of them available": (
        CheckPolicy(min_gpus=1),
        [(1, GOOD, "too_few_gpus", 0), (11, ONE_GPU, "available", 11)],
    ),
    "before the first check it is starting": (
        CheckPolicy(),
        [(0, None, "starting", 0), (1_000_000, None, "starting", 0)],
    ),
    "the first result takes effect at once, whatever the thresholds": (
        CheckPolicy(failure_threshold=3, recovery_threshold=3),
        [(1, GOOD, "available", 1)],
    ),
    "so does a first failure": (
        CheckPolicy(failure_threshold=3, recovery_threshold=3),
        [(1, BAD, "connection_refused", 0)],
    ),
    "with thresholds of 1 each contradiction takes effect": (
        CheckPolicy(),
        [
            (0, GOOD, "available", 0),
            (10, BAD, "connection_refused", 10),
            (11, BAD, "connection_refused", 10),
            (13, GOOD, "available", 13),
        ],
    ),
    "a failure takes effect when the threshold is reached": (
        CheckPolicy(failure_threshold=3),
        [
            (0, GOOD, "available", 0),
            (10, BAD, "available", 0),
            (11, WORSE, "available", 0),
            (13, BAD, "connection_refused", 13),
        ],
    ),
    "a good check in between resets the count": (
        CheckPolicy(failure_threshold=2),
        [
            (0, GOOD, "available", 0),
            (10, BAD, "available", 0),
            (11, GOOD, "available", 0),
            (21, BAD, "available", 0),
            (22, BAD, "connection_refused", 22),
        ],
    ),
    "a recovery takes effect when the threshold is reached": (
        CheckPolicy(recovery_threshold=2),
        [
            (0, BAD, "connection_refused", 0),
            (1, GOOD, "connection_refused", 0),
            (11, BAD, "connection_refused", 0),
            (12, GOOD, "connection_refused", 0),
            (22, GOOD, "available", 22),
        ],
    ),
    "another failure replaces the reason, not the time": (
        CheckPolicy(),
        [(0, BAD, "connection_refused", 0), (1, WORSE, "timed_out", 0)],
    ),
    "available goes stale after three intervals and the timeout": (
        CheckPolicy(),
        [
            (5, GOOD, "available", 5),
            (40, None, "available", 5),
            (40.001, None, "stale", 40),
            (9000, None, "stale", 40),
        ],
    ),
    "unavailable goes stale without a change of status": (
        CheckPolicy(),
        [(5, BAD, "connection_refused", 0), (41, None, "stale", 0)],
    ),
    "a failure below the threshold keeps available fresh": (
        CheckPolicy(failure_threshold=3),
        [(0, GOOD, "available", 0), (30, BAD, "available", 0), (65, None, "available", 0)],
    ),
    "a good check after a stale time makes it available from its end on": (
        CheckPolicy(),
        [(0, GOOD, "available", 0), (50, None, "stale", 35), (60, GOOD, "available", 60)],
    ),
    "no threshold protects an available status that went stale": (
        CheckPolicy(failure_threshold=3),
        [(0, GOOD, "available", 0), (50, BAD, "connection_refused", 35)],
    ),
    "an unavailable status that went stale still needs its good checks": (
        CheckPolicy(recovery_threshold=2),
        [
            (0, BAD, "connection_refused", 0),
            (50, GOOD, "connection_refused", 0),
            (60, GOOD, "available", 60),
        ],
    ),
}


@pytest.mark.parametrize(("policy", "timeline"), TIMELINES.values(), ids=TIMELINES.keys())
def test_status_follows_from_results_and_time(policy: CheckPolicy, timeline: Timeline) -> None:
    """So does since when it holds."""
    state = MonitorState(since=START)
    for second, result, expected, since in timeline:
        if result is not None:
            state = observe(state, finished_at(second, result), policy)
        assert status_code(state, second, policy) == expected, second
        assert status_since(state, second, policy) == START + since, second


def test_threshold_of_hundreds_is_counted_exactly() -> None:
    """It makes sense with short intervals."""
    policy = CheckPolicy(failure_threshold=300)
    state = observe(MonitorState(since=START), finished_at(0, GOOD), policy)
    seen: list[str] = []
    for second in range(1, 301):
        state = observe(state, finished_at(second, BAD), policy)
        seen.append(status_code(state, second, policy))
    assert seen == ["available"] * 299 + ["connection_refused"]


def test_message_of_a_stale_status_holds_the_age_of_the_last_check() -> None:
    """In whole seconds since the check finished."""
    state = observe(MonitorState(since=START), finished_at(5, GOOD), CheckPolicy())
    assert (
        status_at(state, 42.9, CheckPolicy()).message == "Stale: the last check finished 37 s ago"
    )


def test_result_without_a_check_has_no_effect() -> None:
    """Its age is unknown: the node is still starting."""
    state = MonitorState(since=START, effective_result=GOOD)
    assert status_code(state, 0, CheckPolicy()) == "starting"


def test_newer_inventory_replaces_the_older_one() -> None:
    """The effective result while available is the newest inventory."""
    newer = GpuInventory(gpus=(Gpu(slot="", product_id="", description="", is_free=True),))
    state = MonitorState(since=START)
    for second, result in ((0, GOOD), (10, newer)):
        state = observe(state, finished_at(second, result), CheckPolicy())
    assert effective_result_at(state, 10, CheckPolicy()) == newer


def test_last_success_version_and_failures_are_remembered() -> None:
    """A failure keeps the last success and the version; a success resets the failures."""
    state = MonitorState(since=START)
    seen: list[tuple[int, float | None, str | None]] = []
    for second, result in ((0, BAD), (1, BAD), (3, GOOD), (13, BAD), (14, replace(GOOD))):
        state = observe(state, finished_at(second, result), CheckPolicy())
        success = state.last_success.monotonic if state.last_success else None
        seen.append((state.consecutive_failures, success, state.source_version))
    assert seen == [
        (1, None, None),
        (2, None, None),
        (0, 3, "v0.5.11"),
        (1, 3, "v0.5.11"),
        (0, 14, "v0.5.11"),
    ]


def test_status_cannot_be_stale_before_a_check() -> None:
    """The limit exists once a check has finished."""
    state = MonitorState(since=START)
    assert (state.streak, state.consecutive_failures) == (0, 0)
    assert stale_at(state, CheckPolicy()) is None
    assert stale_at(observe(state, finished_at(5, GOOD), CheckPolicy()), CheckPolicy()) == 40


@pytest.mark.parametrize(
    ("result", "before"), [pytest.param(BAD, GOOD, id="failure"), pytest.param(GOOD, BAD, id="ok")]
)
@pytest.mark.parametrize(
    ("pause", "is_hinted", "counts"),
    [
        (0.0, True, False),
        (0.25, True, False),
        (0.5, True, True),
        (1.0, True, True),
        (0.0, False, True),
        (0.25, False, True),
    ],
)
def test_hinted_check_that_repeats_another_does_not_count(
    result: CheckResult, before: CheckResult, pause: float, *, is_hinted: bool, counts: bool
) -> None:
    """With a threshold of 2 a crash during a check is one failure, and not two in milliseconds."""
    policy = CheckPolicy(failure_threshold=2, recovery_threshold=2)
    state = observe(MonitorState(since=START), finished_at(0, before), policy)
    state = observe(state, finished_at(10, result), policy)
    again = replace(finished_at(10 + pause, result), is_hinted=is_hinted)
    state = observe(state, again, policy)
    assert state.streak == 1 + counts
    assert (state.effective_result == result) == counts


def test_hinted_check_with_another_result_counts() -> None:
    """A return right after a failed check is seen at once."""
    state = observe(MonitorState(since=START), finished_at(0, BAD), CheckPolicy())
    hinted = replace(finished_at(0.25, GOOD), is_hinted=True)
    assert observe(state, hinted, CheckPolicy()).effective_result == GOOD
