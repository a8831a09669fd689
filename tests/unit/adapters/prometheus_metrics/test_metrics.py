"""The metrics: names, bounded labels, counters, and absence of what is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend import __version__
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain import (
    Change,
    Check,
    CheckFailure,
    CheckResult,
    GpuInventory,
    Reason,
    Timestamp,
    assess,
)
from dstack_backend.domain.requests import HealthRequestReport
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from dstack_backend.testing.strategies import CHECK_REASONS, check_results
from tests.unit.adapters.prometheus_metrics.harness import H200, Labels, labels, samples, values

AT = Timestamp(5.0, EPOCH)
BAD = CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")


@pytest.mark.parametrize(("result", "up"), [(None, 0), (BAD, 0), (GpuInventory(), 1)])
def test_up_is_1_while_available(result: CheckResult | None, up: float) -> None:
    """And 0 while not."""
    assert values("dstack_backend_up", result) == {labels(): up}


@given(st.lists(check_results(), max_size=5))
def test_each_check_is_counted_once(results: list[CheckResult]) -> None:
    """By result and reason, and in the histogram of durations."""
    metrics = PrometheusMetrics()
    for result in results:
        metrics.on_check(Check(result=result, started=4.5, finished=AT))
    counted = values("dstack_backend_checks_total", None, metrics)
    assert sum(counted.values()) == len(results)
    for result in results:
        reason = result.reason if isinstance(result, CheckFailure) else ""
        kind = "failure" if reason else "success"
        assert counted[labels(result=kind, reason=reason)] >= 1
    name = "dstack_backend_check_duration_seconds"
    assert values(f"{name}_count", None, metrics) == {labels(): len(results)}
    assert values(f"{name}_sum", None, metrics) == {labels(): 0.5 * len(results)}


def test_counters_start_at_zero() -> None:
    """For the reasons with which a check can fail: an alert sees the first increase."""
    expected = {labels(result="failure", reason=reason): 0.0 for reason in CHECK_REASONS}
    expected[labels(result="success", reason="")] = 0.0
    assert values("dstack_backend_checks_total", None) == expected


def test_only_transitions_are_counted_as_status_changes() -> None:
    """Another reason of the same status is not."""
    metrics = PrometheusMetrics()
    good, bad = assess(GpuInventory()), assess(BAD)
    for before, after in ((assess(CheckFailure(Reason.STARTING)), bad), (bad, good), (good, bad)):
        metrics.on_change(Change(AT, before, after))
    assert values("dstack_backend_status_changes_total", None, metrics) == {labels(): 2}


@pytest.mark.parametrize("result", [None, BAD, GpuInventory()])
def test_unavailable_reason_has_a_general_message(result: CheckResult | None) -> None:
    """The detail of a failure varies and is not a label."""
    reason = Reason.STARTING if result is None else Reason.TIMED_OUT
    expected = {labels(reason=reason, message=reason.summary): 1.0}
    found = values("dstack_backend_unavailable_reason", result)
    assert found == ({} if isinstance(result, GpuInventory) else expected)


def test_times_are_absent_before_the_first_check() -> None:
    """A value of 0 would mean 1970."""
    success = "dstack_backend_last_success_timestamp_seconds"
    age = "dstack_backend_last_check_age_seconds"
    assert values(success, None) == values(age, None) == {}
    assert values(success, BAD) == {}
    assert values(age, BAD) == {labels(): 0.75}
    assert values(success, GpuInventory()) == {labels(): EPOCH.timestamp() + 0.25}


def test_creation_times_are_left_out() -> None:
    """They double the text, and Prometheus does not need them. The version is there."""
    names = {name for name, _ in samples(GpuInventory())}
    (build,) = values("dstack_backend_build_info", None)
    assert dict(build)["version"] == __version__
    assert not [name for name in names if name.endswith("_created")]


@pytest.mark.parametrize(
    ("service", "namespace"),
    [
        ("dstack-backend", "dstack_backend"),
        ("sysfs-gpus", "sysfs_gpus"),
        ("Größe 2.0", "Gr__e_2_0"),
    ],
)
def test_names_start_with_the_name_of_the_service(service: str, namespace: str) -> None:
    """All but those of the process; other characters than letters and digits become `_`."""
    metrics = PrometheusMetrics(service)
    if state := FakeHealth(GpuInventory(gpus=(H200,))).gpus():
        metrics.on_gpus(state)
    metrics.on_check(Check(result=BAD, started=4.5, finished=AT))
    names = {name for name, _ in samples(GpuInventory(gpus=(H200,)), metrics)}
    names |= {name for name, _ in samples(BAD, metrics)}
    own = {name for name in names if not name.startswith("process_")}
    assert all(name.startswith(f"{namespace}_") for name in own)
    expected = {"up", "gpus", "checks_total", "degraded", "gpu_state", "gpu_in_use_seconds_total"}
    assert {f"{namespace}_{name}" for name in expected} <= own


def test_lost_log_lines_are_counted() -> None:
    """The log itself cannot tell as long as it is not read."""
    name = "dstack_backend_log_lines_lost_total"
    assert values(name, None) == {labels(): 0}
    assert values(name, None, PrometheusMetrics(lost_log_lines=lambda: 7)) == {labels(): 7}


def test_requests_for_health_are_counted() -> None:
    """The age of the last one is absent before the first."""
    prefix = "dstack_backend_health"
    names = (f"{prefix}_requests_total", f"{prefix}_last_request_age_seconds")

    def scrape(count: int, age: float | None) -> list[dict[Labels, float]]:
        asked = HealthRequestReport(count=count, last_age_seconds=age, clients=1)
        metrics = PrometheusMetrics(health_requests=lambda: asked)
        return [values(name, None, metrics) for name in names]

    assert scrape(0, None) == [{labels(): 0}, {}]
    assert scrape(7, 4.2) == [{labels(): 7}, {labels(): 4.2}]
