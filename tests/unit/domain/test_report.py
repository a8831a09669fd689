"""The body of `/status`: all that is known at one moment."""

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
    LastCheck,
    MonitorState,
    Reason,
    Status,
    StatusReport,
    Timestamp,
    describe_inventory,
    observe,
    report,
)
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import HistoryStore, histories

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


def test_before_the_first_check_it_knows_when_it_started_and_nothing_else() -> None:
    """What does not exist yet is null."""
    assert report(MonitorState(since=START), 101.0, CheckPolicy()) == StatusReport(
        status=Status.UNAVAILABLE,
        reason=Reason.STARTING,
        detail="Starting: no check has finished yet",
        last_change=START.utc,
        last_check=None,
        last_success=None,
        consecutive_failures=0,
        dstack_version=None,
        inventory=None,
    )


def test_after_a_good_check_it_shows_the_inventory_and_the_versions() -> None:
    """The check's age counts from its end, its duration from its start."""
    state = observe(MonitorState(since=START), GOOD, CheckPolicy())
    assert isinstance(GOOD.result, GpuInventory)
    assert report(state, 103.25, CheckPolicy()) == StatusReport(
        status=Status.AVAILABLE,
        reason=None,
        detail="1 GPU, 1 free",
        last_change=GOOD.finished.utc,
        last_check=LastCheck(age_seconds=3.0, duration_seconds=0.25, reason=None, detail=None),
        last_success=GOOD.finished.utc,
        consecutive_failures=0,
        dstack_version="v0.5.11",
        inventory=describe_inventory(GOOD.result),
    )


def test_after_a_failure_it_says_why_and_shows_no_inventory() -> None:
    """The last success and DStack's version stay, the GPUs do not."""
    state = observe(MonitorState(since=START), GOOD, CheckPolicy())
    told = report(observe(state, BAD, CheckPolicy()), 116.0, CheckPolicy())
    assert (told.reason, told.detail) == (
        Reason.TIMED_OUT,
        "Connection error: no answer within 5 s",
    )
    assert told.last_check == LastCheck(
        age_seconds=1.0,
        duration_seconds=5.0,
        reason=Reason.TIMED_OUT,
        detail="Connection error: no answer within 5 s",
    )
    assert told.last_change == BAD.finished.utc
    assert told.last_success == GOOD.finished.utc
    assert told.consecutive_failures == 1
    assert told.dstack_version == "v0.5.11"
    assert told.inventory is None


@pytest.mark.parametrize(
    ("now", "age"),
    [(100.5, 0.25), (100.2512345, 0.001), (100.25, 0.0), (99.0, 0.0)],
    ids=["a part of a second", "to the millisecond", "none", "never less than none"],
)
def test_an_age_is_told_to_the_millisecond(now: float, age: float) -> None:
    """A report that was asked for before the check had ended is not older than it."""
    state = observe(MonitorState(since=START), GOOD, CheckPolicy())
    told = report(state, now, CheckPolicy())
    assert told.last_check is not None
    assert told.last_check.age_seconds == age


def test_a_duration_is_told_to_the_microsecond() -> None:
    """A check on a unix socket takes less than a millisecond."""
    check = replace(GOOD, started=GOOD.finished.monotonic - 0.0001234567)
    told = report(observe(MonitorState(since=START), check, CheckPolicy()), 101.0, CheckPolicy())
    assert told.last_check is not None
    assert told.last_check.duration_seconds == 0.000123


def test_a_failure_below_the_threshold_shows_in_the_last_check_only() -> None:
    """The status stays available; the report hides nothing of the failure."""
    policy = CheckPolicy(failure_threshold=2)
    state = observe(MonitorState(since=START), GOOD, policy)
    told = report(observe(state, BAD, policy), 116.0, policy)
    assert (told.status, told.reason, told.consecutive_failures) == (Status.AVAILABLE, None, 1)
    assert told.last_check is not None
    assert told.last_check.reason is Reason.TIMED_OUT


@given(histories())
def test_any_report_is_json_without_negative_ages(history: HistoryStore) -> None:
    """After any history the report can be encoded, and no age or duration is below zero."""
    told = json.loads(msgspec.json.encode(report(history.state, history.now, history.policy)))
    last = told["last_check"]
    assert (last is None) == (not history.checks)
    if last:
        assert last["age_seconds"] >= 0
        assert last["duration_seconds"] >= 0
