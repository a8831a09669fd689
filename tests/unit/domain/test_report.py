"""The report: the body of `GET /status`."""

import json

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckPolicy,
    Gpu,
    GpuInventory,
    MonitorState,
    Reason,
    Status,
    StatusReport,
    Timestamp,
    observe,
    report,
)
from dstack_backend.domain.report import LastCheck
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.monitor_runs import MonitorRun, monitor_runs

START = Timestamp(100.0, EPOCH)
GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
GOOD = Check(
    result=GpuInventory(gpus=(GPU,), source_version="v0.5.11"),
    started=100.0,
    finished=START + 0.25,
)
BAD = Check(
    result=CheckFailure(Reason.TIMED_OUT, "no answer within 5 s"),
    started=110.0,
    finished=START + 15,
)


def test_report_before_the_first_check_holds_the_start() -> None:
    """Everything else is unknown: null."""
    assert report(MonitorState(since=START), 101.0, CheckPolicy()) == StatusReport(
        status=Status.UNAVAILABLE,
        reason=Reason.STARTING,
        message="Starting: no check has finished yet",
        last_change=START.utc,
        last_check=None,
        last_success=None,
        consecutive_failures=0,
        source_version=None,
        inventory=None,
    )


def test_report_after_a_good_check_holds_the_inventory_and_the_version() -> None:
    """The age of a check counts from its end, its duration from its start."""
    state = observe(MonitorState(since=START), GOOD, CheckPolicy())
    assert isinstance(GOOD.result, GpuInventory)
    assert report(state, 103.25, CheckPolicy()) == StatusReport(
        status=Status.AVAILABLE,
        reason=None,
        message="1 GPU, 1 free",
        last_change=GOOD.finished.utc,
        last_check=LastCheck(age_seconds=3.0, duration_seconds=0.25, reason=None, message=None),
        last_success=GOOD.finished.utc,
        consecutive_failures=0,
        source_version="v0.5.11",
        inventory=GOOD.result.metadata(),
        degraded=False,
        missing=(),
        other_devices=(),
    )


def test_report_after_a_failure_holds_the_reason_and_no_inventory() -> None:
    """The last success and the version of the source stay."""
    state = observe(MonitorState(since=START), GOOD, CheckPolicy())
    result = report(observe(state, BAD, CheckPolicy()), 116.0, CheckPolicy())
    assert (result.reason, result.message) == (
        Reason.TIMED_OUT,
        "Connection error: no answer within 5 s",
    )
    assert result.last_check == LastCheck(
        age_seconds=1.0,
        duration_seconds=5.0,
        reason=Reason.TIMED_OUT,
        message="Connection error: no answer within 5 s",
    )
    assert result.last_change == BAD.finished.utc
    assert result.last_success == GOOD.finished.utc
    assert result.consecutive_failures == 1
    assert result.source_version == "v0.5.11"
    assert result.inventory is None


@pytest.mark.parametrize(
    ("now", "age"),
    [(100.5, 0.25), (100.2512345, 0.001), (100.25, 0.0), (99.0, 0.0)],
    ids=["fraction of a second", "rounded", "zero", "never negative"],
)
def test_an_age_is_result_to_the_millisecond(now: float, age: float) -> None:
    """A report that was asked for before the check had ended is not older than it."""
    state = observe(MonitorState(since=START), GOOD, CheckPolicy())
    result = report(state, now, CheckPolicy())
    assert result.last_check is not None
    assert result.last_check.age_seconds == age


def test_a_duration_is_result_to_the_microsecond() -> None:
    """A check on a unix socket takes less than a millisecond."""
    check = replace(GOOD, started=GOOD.finished.monotonic - 0.0001234567)
    result = report(observe(MonitorState(since=START), check, CheckPolicy()), 101.0, CheckPolicy())
    assert result.last_check is not None
    assert result.last_check.duration_seconds == 0.000123


def test_failure_below_the_threshold_appears_in_the_last_check_only() -> None:
    """The status stays available."""
    policy = CheckPolicy(failure_threshold=2)
    state = observe(MonitorState(since=START), GOOD, policy)
    result = report(observe(state, BAD, policy), 116.0, policy)
    assert (result.status, result.reason, result.consecutive_failures) == (
        Status.AVAILABLE,
        None,
        1,
    )
    assert result.last_check is not None
    assert result.last_check.reason is Reason.TIMED_OUT


@given(monitor_runs())
def test_report_is_json_without_negative_ages(run: MonitorRun) -> None:
    """After any sequence of checks it can be encoded, and no age or duration is below zero."""
    encoded = msgspec.json.encode(report(run.state, run.now, run.policy))
    last = json.loads(encoded)["last_check"]
    assert (last is None) == (not run.checks)
    if last:
        assert last["age_seconds"] >= 0
        assert last["duration_seconds"] >= 0
