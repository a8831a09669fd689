"""The monitor in virtual time: when it checks, what it publishes, what it announces.

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
from tests.unit.harness import MonitorHarness

GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
GOOD = GpuInventory(gpus=(GPU,))
NONE = GpuInventory()
BAD = CheckFailure(Reason.CONNECTION_REFUSED)
HUNG = CheckFailure(Reason.TIMED_OUT)
WORSE = CheckFailure(Reason.HTTP_ERROR, "500 Internal Server Error")


def test_response_before_the_first_check_is_starting() -> None:
    """It needs no call of the source."""
    node = MonitorHarness([GOOD])
    assert node.health == "Starting: no check has finished yet"
    assert not node.monitor.is_ready()
    assert node.source.calls == 0


@pytest.mark.parametrize("result", [GOOD, BAD])
def test_monitor_is_ready_once_a_first_check_has_finished(result: CheckResult) -> None:
    """Whatever its result is."""
    node = MonitorHarness([result], latency=4)

    async def scenario() -> None:
        await node.clock.advance(3.5)
        assert (node.monitor.is_ready(), node.source.under_way) == (False, 1)
        await node.clock.advance(0.5)
        assert node.monitor.is_ready()

    node.play(scenario)


@pytest.mark.parametrize(
    ("results", "latency", "starts"),
    [
        pytest.param([GOOD], 0, [0, 10, 20, 30], id="an interval from start to start"),
        pytest.param([GOOD], 4, [0, 10, 20, 30], id="which includes the duration of the check"),
        pytest.param(
            [GOOD], 12, [0, 12, 24, 36], id="never two at once, though a check takes longer"
        ),
        pytest.param([BAD], 0, [0, 1, 3, 7, 15, 25, 35], id="back-off up to the interval"),
        pytest.param([BAD], 5, [0, 6, 13, 22, 32], id="back-off from the end of the failed check"),
        pytest.param([HUNG], 5, [0, 10, 25], id="further apart while the source hangs"),
        pytest.param([HUNG, HUNG, GOOD], 5, [0, 10, 25, 35], id="until it answers"),
        pytest.param([BAD, BAD, GOOD, BAD], 0, [0, 1, 3, 13, 14, 16, 20, 28, 38], id="mixed"),
    ],
)
def test_checks_start_on_schedule(
    results: list[CheckResult], latency: float, starts: list[float]
) -> None:
    """The seconds at which checks start, of the first 39."""
    node = MonitorHarness(results, latency)
    node.run_for(39)
    assert node.source.asked_at == starts
    assert node.source.most_at_once == 1


def test_hanging_source_is_called_four_times_in_75_seconds() -> None:
    """Each call may leave a request behind: at DStack an lspci that hangs as well."""
    node = MonitorHarness([HUNG], latency=5)
    node.run_for(74.9)
    assert node.source.asked_at == [0, 10, 25, 50]


@given(st.lists(st.tuples(st.sampled_from([GOOD, BAD]), st.sampled_from([0.0, 0.5, 4.0, 15.0]))))
def test_checks_never_overlap(script: list[tuple[CheckResult, float]]) -> None:
    """Whatever their results and durations are, one follows the other."""
    remaining = list(script)

    def next_result() -> CheckResult:
        result, node.source.latency = remaining.pop(0) if remaining else (GOOD, 0.0)
        return result

    node = MonitorHarness(next_result)
    node.run_for(60)
    assert node.source.most_at_once == 1
    ends = [check.finished.monotonic - ORIGIN for check in node.observer.checks]
    following = node.source.asked_at[1:]
    assert all(end <= start for end, start in zip(ends, following, strict=False))


@pytest.mark.parametrize(
    ("results", "policy", "announced"),
    [
        pytest.param(
            [GOOD], CheckPolicy(), [(0, "available")], id="a status that holds is announced once"
        ),
        pytest.param([BAD], CheckPolicy(), [(0, "connection_refused")], id="so is a failure"),
        pytest.param(
            [GOOD, BAD, WORSE, WORSE, GOOD],
            CheckPolicy(),
            [(0, "available"), (10, "connection_refused"), (11, "http_error"), (17, "available")],
            id="each change of status and of reason",
        ),
        pytest.param(
            [GOOD, BAD, BAD, BAD],
            CheckPolicy(failure_threshold=3),
            [(0, "available"), (13, "connection_refused")],
            id="not a failure below the threshold",
        ),
        pytest.param(
            [GOOD, NONE, NONE, GOOD],
            CheckPolicy(),
            [(0, "available"), (10, "available"), (21, "available")],
            id="the loss of all GPUs and their return",
        ),
    ],
)
def test_changes_are_announced_once(
    results: list[CheckResult], policy: CheckPolicy, announced: list[tuple[float, str]]
) -> None:
    """Each change once, with the second at which it happened."""
    node = MonitorHarness(results, policy=policy)
    node.run_for(39)
    assert node.announced == announced


def test_observers_are_called_for_every_check() -> None:
    """With its start, its end on both clocks, and its result."""
    node = MonitorHarness([GOOD, BAD], latency=2)
    node.run_for(12)
    first, second = node.observer.checks
    assert (first.result, second.result) == (GOOD, BAD)
    assert (first.started, first.duration) == (ORIGIN, 2)
    assert (second.started, second.duration) == (ORIGIN + 10, 2)
    assert (first.finished.utc - EPOCH).total_seconds() == 2


def test_response_is_encoded_once_per_check() -> None:
    """A thousand requests get the same object, and cause no call."""
    node = MonitorHarness([GOOD])

    async def scenario() -> None:
        responses = {id(node.monitor.response()) for _ in range(1000)}
        assert len(responses) == 1
        assert node.source.calls == 1

    node.play(scenario)


def test_response_goes_stale_while_the_source_hangs() -> None:
    """Until then the last result holds."""
    node = MonitorHarness([GOOD])

    async def scenario() -> None:
        node.source.hang()
        await node.clock.advance(35)
        assert node.health == "available"
        await node.clock.advance(2.5)
        assert node.health == "Stale: the last check finished 37 s ago"
        assert node.monitor.is_ready()
        node.source.release()
        await node.clock.advance(0)
        assert node.health == "available"

    node.play(scenario)


def test_status_stays_starting_while_the_first_check_hangs() -> None:
    """Nothing was known, so nothing goes stale."""
    node = MonitorHarness([GOOD])
    node.source.hang()

    async def scenario() -> None:
        await node.clock.advance(1000)
        assert node.health == "Starting: no check has finished yet"
        assert not node.monitor.is_ready()

    node.play(scenario)


def test_stale_status_is_announced_with_the_time_at_which_it_began() -> None:
    """Not with the time of the call; a second call announces nothing new."""
    node = MonitorHarness([GOOD])

    async def scenario() -> None:
        node.source.hang()
        await node.clock.advance(50)
        node.monitor.announce()
        await node.clock.advance(1)
        node.monitor.announce()
        assert node.announced == [(0, "available"), (35, "stale")]

    node.play(scenario)


def test_call_that_never_returns_is_cancelled() -> None:
    """Checking goes on after `stale_after`, here 4 ms."""
    node = MonitorHarness([GOOD], policy=CheckPolicy(interval=0.001, timeout=0.001))
    node.source.hang()
    asyncio.run(node.monitor.check())
    assert node.health == "Connection error: no answer within 0.004 s"
    assert (node.source.cancelled, node.source.under_way) == (1, 0)


def test_cancelled_loop_cancels_its_check() -> None:
    """At the end of the service no task is left."""
    node = MonitorHarness([GOOD])
    node.source.hang()
    node.run_for(1)
    assert (node.source.cancelled, node.source.under_way) == (1, 0)
    assert node.watcher.listeners == 0


@pytest.mark.parametrize("first", [GOOD, BAD])
@pytest.mark.parametrize("then", [GOOD, CheckFailure(Reason.TIMED_OUT)])
def test_stale_time_of_a_suspended_process_is_announced_before_the_next_result(
    first: CheckResult, then: CheckResult
) -> None:
    """The result of the check that was suspended counts from its end."""
    node = MonitorHarness([first, then], latency=4)

    async def scenario() -> None:
        while node.source.calls < 2:
            await node.clock.advance(1)
        node.clock.suspend(600)
        await node.clock.advance(4)

    node.play(scenario)
    began, ended = [check.finished.monotonic - ORIGIN for check in node.observer.checks]
    assert node.announced == [
        (began, assess(first).reason or "available"),
        (began + 35, "stale"),
        (ended, assess(then).reason or "available"),
    ]
