"""The metrics: names, bounded labels, counters, and absence of what is unknown."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dstack_backend import __version__
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain import (
    Change,
    Check,
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    Reason,
    Timestamp,
    assess,
)
from dstack_backend.domain.gpu import KNOWN_MODELS
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from dstack_backend.testing.strategies import CHECK_REASONS, check_results, inventories
from tests.unit.adapters.inventories import DiskInventory, RackInventory

AT = Timestamp(5.0, EPOCH)
BAD = CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")
H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)

Labels = frozenset[tuple[str, str]]


def samples(
    result: CheckResult | None, metrics: PrometheusMetrics | None = None
) -> Mapping[tuple[str, Labels], float]:
    """Return all samples of a scrape after a check with this result."""
    text = (metrics or PrometheusMetrics()).render(FakeHealth(result).report()).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def values(
    name: str, result: CheckResult | None, metrics: PrometheusMetrics | None = None
) -> dict[Labels, float]:
    """Return the samples of one name, by their labels."""
    found = samples(result, metrics)
    return {labels: value for (each, labels), value in found.items() if each == name}


def labels(**pairs: str) -> Labels:
    """Return labels as a key."""
    return frozenset(pairs.items())


@pytest.mark.parametrize(("result", "up"), [(None, 0), (BAD, 0), (GpuInventory(), 1)])
def test_up_is_1_while_available(result: CheckResult | None, up: float) -> None:
    """And 0 while not."""
    assert values("dstack_backend_up", result) == {labels(): up}


def test_gpus_are_counted_by_model_and_state() -> None:
    """Models that are not known are one model: `other`."""
    gpus = (
        H200,
        Gpu(slot="", product_id="10de:2335", description="", is_free=False),
        Gpu(slot="", product_id="10de:ffff", description="X [A]", is_free=False),
        Gpu(slot="", product_id="10de:ffff", description="X [B]", is_free=False),
        Gpu(slot="", product_id="", description="", is_free=True),
    )
    assert values("dstack_backend_gpus", GpuInventory(gpus=gpus)) == {
        labels(model="H200 SXM 141GB", state="free"): 1,
        labels(model="H200 SXM 141GB", state="in_use"): 1,
        labels(model="other", state="free"): 1,
        labels(model="other", state="in_use"): 2,
    }


@pytest.mark.parametrize("result", [None, BAD])
def test_gpus_are_absent_while_unavailable(result: CheckResult | None) -> None:
    """Also after there were some: an old number would be wrong."""
    metrics = PrometheusMetrics()
    assert values("dstack_backend_gpus", GpuInventory(gpus=(H200,)), metrics)
    assert not values("dstack_backend_gpus", result, metrics)


@given(inventories())
def test_labels_of_models_are_a_closed_set(inventory: GpuInventory) -> None:
    """Whatever the source sends, models are known ones or `other`, and every GPU is counted."""
    found = values("dstack_backend_gpus", inventory)
    models = {dict(each)["model"] for each in found}
    assert models <= KNOWN_MODELS | {"other"}
    assert sum(found.values()) == len(inventory.gpus)


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
    metrics.on_check(Check(result=BAD, started=4.5, finished=AT))
    names = {name for name, _ in samples(GpuInventory(gpus=(H200,)), metrics)}
    names |= {name for name, _ in samples(BAD, metrics)}
    own = {name for name in names if not name.startswith("process_")}
    assert all(name.startswith(f"{namespace}_") for name in own)
    assert {f"{namespace}_up", f"{namespace}_gpus", f"{namespace}_checks_total"} <= own


def test_another_inventory_has_no_gpu_metrics() -> None:
    """The node is up; its summary is no label, because it varies."""
    names = {name for name, _ in samples(DiskInventory())}
    assert values("dstack_backend_up", DiskInventory()) == {labels(): 1}
    assert not {"dstack_backend_gpus", "dstack_backend_gpus_listed"} & names


def test_metadata_with_more_fields_has_gpu_metrics() -> None:
    """A subclass of the metadata of GPUs, as an embedder may have."""
    found = values("dstack_backend_gpus_listed", RackInventory(gpus=(H200, H200)))
    assert found == {labels(): 2}


def test_lost_log_lines_are_counted() -> None:
    """The log itself cannot tell as long as it is not read."""
    name = "dstack_backend_log_lines_lost_total"
    assert values(name, None) == {labels(): 0}
    assert values(name, None, PrometheusMetrics(lost_log_lines=lambda: 7)) == {labels(): 7}
