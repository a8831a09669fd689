"""The metrics: bounded labels, honest absence, counters that count."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dstack_backend import __version__
from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain import (
    KNOWN_MODELS,
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
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from dstack_backend.testing.strategies import CHECK_REASONS, check_results, inventories

AT = Timestamp(5.0, EPOCH)
BAD = CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")
H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)

Labels = frozenset[tuple[str, str]]


def samples(
    result: CheckResult | None, metrics: PrometheusMetrics | None = None
) -> Mapping[tuple[str, Labels], float]:
    """All samples of a scrape at a moment at which the result is what is known."""
    page = (metrics or PrometheusMetrics()).render(FakeHealth(result).report()).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def values(
    name: str, result: CheckResult | None, metrics: PrometheusMetrics | None = None
) -> dict[Labels, float]:
    """The samples of one name, by their labels."""
    found = samples(result, metrics)
    return {labels: value for (each, labels), value in found.items() if each == name}


def labels(**pairs: str) -> Labels:
    """Labels as a key."""
    return frozenset(pairs.items())


@pytest.mark.parametrize(("result", "up"), [(None, 0), (BAD, 0), (GpuInventory(), 1)])
def test_up_or_down(result: CheckResult | None, up: float) -> None:
    """One sample, 1 while the node is available, 0 while it is not."""
    assert values("dstack_backend_up", result) == {labels(): up}


def test_gpus_are_counted_by_model_and_state() -> None:
    """Models that are not in our table are one model: `other`."""
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
def test_while_the_inventory_is_unknown_it_has_no_series(result: CheckResult | None) -> None:
    """They are gone and not frozen, also after there were some."""
    metrics = PrometheusMetrics()
    assert values("dstack_backend_gpus", GpuInventory(gpus=(H200,)), metrics)
    assert not values("dstack_backend_gpus", result, metrics)


@given(inventories())
def test_no_inventory_makes_a_label_of_its_own(inventory: GpuInventory) -> None:
    """Whatever DStack sends, models come from our table; no GPU is lost in counting."""
    found = values("dstack_backend_gpus", inventory)
    models = {dict(each)["model"] for each in found}
    assert models <= KNOWN_MODELS | {"other"}
    assert sum(found.values()) == len(inventory.gpus)


@given(st.lists(check_results(), max_size=5))
def test_every_check_is_counted_once(results: list[CheckResult]) -> None:
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


def test_counters_begin_at_zero() -> None:
    """An alert sees the first increase; reasons that no check has are not among them."""
    expected = {labels(result="failure", reason=reason): 0.0 for reason in CHECK_REASONS}
    expected[labels(result="success", reason="")] = 0.0
    assert values("dstack_backend_checks_total", None) == expected


def test_only_turns_of_the_status_are_counted_as_changes() -> None:
    """Another reason for the same status is none."""
    metrics = PrometheusMetrics()
    good, bad = assess(GpuInventory()), assess(BAD)
    for before, after in ((assess(CheckFailure(Reason.STARTING)), bad), (bad, good), (good, bad)):
        metrics.on_change(Change(AT, before, after))
    assert values("dstack_backend_status_changes_total", None, metrics) == {labels(): 2}


@pytest.mark.parametrize("result", [None, BAD, GpuInventory()])
def test_why_it_is_unavailable_is_a_label_from_a_closed_set(result: CheckResult | None) -> None:
    """The reason and its own words; the detail, which varies, makes no series."""
    reason = Reason.STARTING if result is None else Reason.TIMED_OUT
    expected = {labels(reason=reason, message=reason.summary): 1.0}
    found = values("dstack_backend_unavailable_reason", result)
    assert found == ({} if isinstance(result, GpuInventory) else expected)


def test_times_are_absent_until_there_are_some() -> None:
    """No success and no check is not the same as one in 1970."""
    success = "dstack_backend_last_success_timestamp_seconds"
    age = "dstack_backend_last_check_age_seconds"
    assert values(success, None) == values(age, None) == {}
    assert values(success, BAD) == {}
    assert values(age, BAD) == {labels(): 0.75}
    assert values(success, GpuInventory()) == {labels(): EPOCH.timestamp() + 0.25}


def test_the_build_is_known_and_the_page_holds_no_creation_times() -> None:
    """Creation times double the page and are of no use to Prometheus."""
    names = {name for name, _ in samples(GpuInventory())}
    (build,) = values("dstack_backend_build_info", None)
    assert dict(build)["version"] == __version__
    assert not [name for name in names if name.endswith("_created")]
