"""The monitor at work, in virtual time: when it asks, what it publishes, what it announces.

The policy is the default one unless a test says otherwise: an interval of 10 s, a timeout of 5 s,
stale after 35 s.
"""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.domain import (
    CheckFailure,
    CheckPolicy,
    CheckResult,
    Gpu,
    GpuInventory,
    Reason,
    assess,
)
from dstack_backend.testing.fakes import EPOCH, ORIGIN
from tests.unit.harness import SimulatedNode, play

GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
GOOD = GpuInventory(gpus=(GPU,))
NONE = GpuInventory()
BAD = CheckFailure(Reason.CONNECTION_REFUSED)
WORSE = CheckFailure(Reason.HTTP_ERROR, "500 Internal Server Error")


def test_before_the_first_check_it_answers_that_it_is_starting() -> None:
    """The answer is there at once, without a call to DStack."""
    stage = SimulatedNode([GOOD])
    assert stage.told == "Starting: no check has finished yet"
    assert not stage.monitor.is_ready()
    assert stage.dstack.calls == 0


@pytest.mark.parametrize("result", [GOOD, BAD])
def test_it_is_ready_once_a_first_check_has_finished(result: CheckResult) -> None:
    """Whatever the check has brought; while it goes on, nothing is known."""
    stage = SimulatedNode([result], latency=4)

    async def scene() -> None:
        await stage.clock.advance(3.5)
        assert (stage.monitor.is_ready(), stage.dstack.under_way) == (False, 1)
        await stage.clock.advance(0.5)
        assert stage.monitor.is_ready()

    play(stage, scene)


@pytest.mark.parametrize(
    ("results", "latency", "starts"),
    [
        pytest.param([GOOD], 0, [0, 10, 20, 30], id="an interval from start to start"),
        pytest.param([GOOD], 4, [0, 10, 20, 30], id="of which the check takes its part"),
        pytest.param([GOOD], 12, [0, 12, 24, 36], id="never two, though a check takes longer"),
        pytest.param([BAD], 0, [0, 1, 3, 7, 15, 25, 35], id="sooner and sooner no more"),
        pytest.param([BAD], 5, [0, 6, 13, 22, 32], id="from the end of a failure that takes time"),
        pytest.param([BAD, BAD, GOOD, BAD], 0, [0, 1, 3, 13, 14, 16, 20, 28, 38], id="mixed"),
    ],
)
def test_when_it_asks(results: list[CheckResult], latency: float, starts: list[float]) -> None:
    """The seconds at which checks start, of the first 39."""
    stage = SimulatedNode(results, latency)
    play(stage, lambda: stage.clock.advance(39))
    assert stage.dstack.asked_at == starts
    assert stage.dstack.most_at_once == 1


@given(st.lists(st.tuples(st.sampled_from([GOOD, BAD]), st.sampled_from([0.0, 0.5, 4.0, 15.0]))))
def test_there_are_never_two_checks_at_once(script: list[tuple[CheckResult, float]]) -> None:
    """Whatever checks bring and however long they take, one follows the other."""
    remaining = list(script)

    def next_result() -> CheckResult:
        result, stage.dstack.latency = remaining.pop(0) if remaining else (GOOD, 0.0)
        return result

    stage = SimulatedNode(next_result)
    play(stage, lambda: stage.clock.advance(60))
    assert stage.dstack.most_at_once == 1
    ends = [check.finished.monotonic - ORIGIN for check in stage.observer.checks]
    following = stage.dstack.asked_at[1:]
    assert all(end <= start for end, start in zip(ends, following, strict=False))


@pytest.mark.parametrize(
    ("results", "policy", "announced"),
    [
        pytest.param([GOOD], CheckPolicy(), [(0, "available")], id="one that stays is told once"),
        pytest.param([BAD], CheckPolicy(), [(0, "connection_refused")], id="so is a failure"),
        pytest.param(
            [GOOD, BAD, WORSE, WORSE, GOOD],
            CheckPolicy(),
            [(0, "available"), (10, "connection_refused"), (11, "http_error"), (17, "available")],
            id="each turn and each other reason is told",
        ),
        pytest.param(
            [GOOD, BAD, BAD, BAD],
            CheckPolicy(failure_threshold=3),
            [(0, "available"), (13, "connection_refused")],
            id="what a threshold holds back is not told",
        ),
        pytest.param(
            [GOOD, NONE, NONE, GOOD],
            CheckPolicy(),
            [(0, "available"), (10, "available"), (30, "available")],
            id="that all GPUs went or came is told",
        ),
    ],
)
def test_what_it_announces(
    results: list[CheckResult], policy: CheckPolicy, announced: list[tuple[float, str]]
) -> None:
    """Each change once, with the second at which it happened."""
    stage = SimulatedNode(results, policy=policy)
    play(stage, lambda: stage.clock.advance(39))
    assert stage.announced == announced


def test_observers_hear_of_every_check() -> None:
    """With its start, its end on both clocks, and its result."""
    stage = SimulatedNode([GOOD, BAD], latency=2)
    play(stage, lambda: stage.clock.advance(12))
    first, second = stage.observer.checks
    assert (first.result, second.result) == (GOOD, BAD)
    assert (first.started, first.duration) == (ORIGIN, 2)
    assert (second.started, second.duration) == (ORIGIN + 10, 2)
    assert (first.finished.utc - EPOCH).total_seconds() == 2


def test_between_checks_the_answer_is_encoded_once() -> None:
    """A thousand pollers get the same bytes, and cause no call."""
    stage = SimulatedNode([GOOD])

    async def scene() -> None:
        answers = {id(stage.monitor.response()) for _ in range(1000)}
        assert len(answers) == 1
        assert stage.dstack.calls == 1

    play(stage, scene)


def test_while_dstack_hangs_the_last_answer_holds_and_then_goes_stale() -> None:
    """What is known is told until it is too old, then that it is."""
    stage = SimulatedNode([GOOD])

    async def scene() -> None:
        stage.dstack.hang()
        await stage.clock.advance(35)
        assert stage.told == "available"
        await stage.clock.advance(2.5)
        assert stage.told == "Stale: the last check finished 37 s ago"
        assert stage.monitor.is_ready()
        stage.dstack.release()
        await stage.clock.advance(0)
        assert stage.told == "available"

    play(stage, scene)


def test_a_first_check_that_hangs_leaves_it_starting() -> None:
    """Nothing was ever known, so nothing goes stale."""
    stage = SimulatedNode([GOOD])
    stage.dstack.hang()

    async def scene() -> None:
        await stage.clock.advance(1000)
        assert stage.told == "Starting: no check has finished yet"
        assert not stage.monitor.is_ready()

    play(stage, scene)


def test_stale_is_announced_by_who_watches_at_the_moment_it_began() -> None:
    """Not at the moment of the look; a second look tells nothing new."""
    stage = SimulatedNode([GOOD])

    async def scene() -> None:
        stage.dstack.hang()
        await stage.clock.advance(50)
        stage.monitor.announce()
        await stage.clock.advance(1)
        stage.monitor.announce()
        assert stage.announced == [(0, "available"), (35, "stale")]

    play(stage, scene)


def test_a_dstack_that_breaks_its_promise_and_never_answers_is_given_up() -> None:
    """Checking goes on after `stale_after`, here 4 ms; the call was cancelled."""
    stage = SimulatedNode([GOOD], policy=CheckPolicy(interval=0.001, timeout=0.001))
    stage.dstack.hang()
    asyncio.run(stage.monitor.check())
    assert stage.told == "Connection error: no answer within 0.004 s"
    assert (stage.dstack.cancelled, stage.dstack.under_way) == (1, 0)


def test_a_cancelled_loop_cancels_the_check_that_is_under_way() -> None:
    """At the end of the service nothing is left running."""
    stage = SimulatedNode([GOOD])
    stage.dstack.hang()
    play(stage, lambda: stage.clock.advance(1))
    assert (stage.dstack.cancelled, stage.dstack.under_way) == (1, 0)
    assert stage.watcher.listeners == 0


@pytest.mark.parametrize("first", [GOOD, BAD])
@pytest.mark.parametrize("then", [GOOD, CheckFailure(Reason.TIMED_OUT)])
def test_a_process_that_stood_still_says_so_before_what_its_check_brings(
    first: CheckResult, then: CheckResult
) -> None:
    """Nobody looked from the lapse on, and what the check brings counts from its end."""
    stage = SimulatedNode([first, then], latency=4)

    async def scene() -> None:
        while stage.dstack.calls < 2:
            await stage.clock.advance(1)
        stage.clock.stall(600)
        await stage.clock.advance(4)

    play(stage, scene)
    began, ended = [check.finished.monotonic - ORIGIN for check in stage.observer.checks]
    assert stage.announced == [
        (began, assess(first).reason or "available"),
        (began + 35, "stale"),
        (ended, assess(then).reason or "available"),
    ]
