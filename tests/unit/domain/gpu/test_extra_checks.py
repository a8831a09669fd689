"""Checks that a possible loss of a GPU causes beside the schedule."""

from itertools import cycle, islice

import pytest

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
    next_check_at,
    observe,
)
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.gpu.gpu_events import START, h200

A, B, C = "3b:00.0", "9b:00.0", "c1:00.0"
FULL = h200(A, B, C)
SHORT = h200(A, B)


def extra_checks(lists: list[CheckResult], interval: float = 10.0) -> int:
    """Return how many checks started before they were due by the schedule alone."""
    policy = CheckPolicy(interval=interval)
    state, extra = MonitorState(since=START), 0
    second = START.monotonic
    for result in lists:
        finished = Timestamp(second, EPOCH)
        state = observe(state, Check(result=result, started=second, finished=finished), policy)
        second = next_check_at(state, policy)
        extra += (
            state.last_check is not None
            and not state.last_check.failure
            and (second < finished.monotonic + interval)
        )
    return extra


def listings(*gpus: tuple[Gpu, ...]) -> list[CheckResult]:
    """Return inventories."""
    return [GpuInventory(gpus=each) for each in gpus]


BAD = CheckFailure(Reason.CONNECTION_REFUSED)


@pytest.mark.parametrize(
    ("lists", "extra"),
    [
        pytest.param(listings(*[FULL] * 9), 0, id="nothing changes"),
        pytest.param(listings(FULL, *[SHORT] * 9), 1, id="a loss"),
        pytest.param(listings(FULL, SHORT, FULL, FULL), 1, id="short once"),
        pytest.param(listings(*islice(cycle([FULL, SHORT]), 40)), 20, id="each short list alone"),
        pytest.param(
            listings(FULL, *islice(cycle([h200(A, C), h200(B, C)]), 99)), 1, id="A and B in turn"
        ),
        pytest.param(
            listings(FULL, *islice(cycle([h200(A, C), h200(A, B), h200(B, C)]), 99)),
            1,
            id="one of three is not listed",
        ),
        pytest.param(
            listings(FULL, *[SHORT] * 2, *[h200(A)] * 2, *[()] * 5), 3, id="one after the other"
        ),
        pytest.param(listings(FULL, SHORT, h200(A), ()), 3, id="another one with each check"),
        pytest.param(
            [*listings(FULL), *islice(cycle([*listings(SHORT), BAD]), 50)], 1, id="with failures"
        ),
    ],
)
def test_at_most_one_extra_check_is_made_for_a_loss(lists: list[CheckResult], extra: int) -> None:
    """While none is confirmed, checks come with the schedule."""
    assert extra_checks(lists) == extra


def test_extra_check_is_never_later_than_the_schedule() -> None:
    """With an interval of less than 1 s it is the next one."""
    policy = CheckPolicy(interval=0.25)
    state = MonitorState(since=START)
    for second, inventory in enumerate(listings(FULL, SHORT)):
        at = START + second
        check = Check(result=inventory, started=at.monotonic, finished=at)
        state = observe(state, check, policy)
    assert next_check_at(state, policy) == START.monotonic + 1.25
