"""The metrics of GPUs: states by slot, time in use, bounds, and absence of what is unknown."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.adapters.prometheus_metrics import PrometheusMetrics
from dstack_backend.domain import CheckFailure, CheckPolicy, CheckResult, Gpu, GpuInventory, Reason
from dstack_backend.domain.gpu import KNOWN_MODELS, forget, restore
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import check_results, gpus, inventories
from tests.unit.adapters.inventories import DiskInventory, RackInventory
from tests.unit.adapters.prometheus_metrics.harness import H200, Labels, Node, labels, values

BAD = CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")
SECOND = replace(H200, slot="0000:9B:1f.7", is_free=False)
SWITCH = replace(H200, slot="04:00.0", product_id="10de:22a3")


def test_gpus_are_counted_by_model_and_state() -> None:
    """Models that are not known are one model: `other`."""
    listed = (
        H200,
        Gpu(slot="", product_id="10de:2335", description="", is_free=False),
        Gpu(slot="", product_id="10de:ffff", description="X [A]", is_free=False),
        Gpu(slot="", product_id="10de:ffff", description="X [B]", is_free=False),
        Gpu(slot="", product_id="", description="", is_free=True),
    )
    assert values("dstack_backend_gpus", GpuInventory(gpus=listed)) == {
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


def test_metadata_with_more_fields_has_gpu_metrics() -> None:
    """A subclass of the metadata of GPUs, as an embedder may have."""
    found = values("dstack_backend_gpus_listed", RackInventory(gpus=(H200, H200)))
    assert found == {labels(): 2}


@pytest.mark.parametrize("results", [[], [BAD], [DiskInventory()], [DiskInventory(), BAD]])
def test_a_node_without_an_inventory_of_gpus_has_no_gpu_metrics(
    results: Sequence[CheckResult],
) -> None:
    """Neither a count nor a verdict."""
    node = Node()
    node.check(*results)
    names = {name.removeprefix("dstack_backend_") for name, _ in node.scrape()}
    assert not {name for name in names if "gpu" in name or name in {"degraded", "other_devices"}}


def test_each_slot_has_one_state() -> None:
    """A lost GPU becomes missing when the loss is confirmed, and free when it returns."""
    node = Node()
    node.list_gpus(H200, SECOND)
    present = {H200.slot: {"free": 1}, SECOND.slot: {"in_use": 1}}
    assert node.states() == present
    node.list_gpus(SECOND)
    assert node.states() == present
    node.list_gpus(SECOND)
    assert node.states() == {H200.slot: {"missing": 1}, SECOND.slot: {"in_use": 1}}
    assert node.values("gpus_missing") == node.values("degraded") == {labels(): 1}
    node.list_gpus(SECOND, H200)
    assert node.states() == present
    assert node.values("gpus_missing") == node.values("degraded") == {labels(): 0}


def test_information_names_product_and_model_of_missing_gpus_too() -> None:
    """A product id of another form is left out, and an unknown model is `other`."""
    odd = replace(SECOND, product_id="10de:2335\n", description="X [Best GPU]")
    node = Node()
    node.list_gpus(H200, odd)
    node.list_gpus(odd, times=2)
    assert node.values("gpu_info") == {
        labels(slot=H200.slot, product_id="10de:2335", model="H200 SXM 141GB"): 1,
        labels(slot=odd.slot, product_id="", model="other"): 1,
    }


def test_other_devices_are_counted_and_have_no_slot() -> None:
    """An NVSwitch is no GPU."""
    node = Node()
    node.list_gpus(H200, SWITCH)
    assert node.values("other_devices") == {labels(): 1}
    assert node.states().keys() == {H200.slot}


def test_a_node_that_lists_no_gpu_is_degraded() -> None:
    """Nothing is missing where there was none."""
    node = Node()
    node.list_gpus()
    assert node.values("degraded") == {labels(): 1}
    assert node.values("gpus_missing") == {labels(): 0}


@pytest.mark.parametrize(("failures", "after"), [(1, 1.0), (0, 60.0)], ids=["failed", "stale"])
def test_only_missing_gpus_have_a_state_while_the_present_is_unknown(
    failures: int, after: float
) -> None:
    """The alert for a lost GPU does not end with an outage."""
    node = Node()
    node.list_gpus(H200, SECOND, SWITCH)
    node.list_gpus(SECOND, SWITCH, times=2)
    node.check(*[BAD] * failures)
    assert node.states(after) == {H200.slot: {"missing": 1}}
    assert {dict(each)["slot"] for each in node.values("gpu_info", after)} == {H200.slot}
    assert node.values("gpus_missing", after) == node.values("degraded", after) == {labels(): 1}
    assert not node.values("other_devices", after)


@pytest.mark.parametrize("policy", [CheckPolicy(min_gpus=2), CheckPolicy(recovery_threshold=2)])
def test_states_are_known_after_a_good_check_of_an_unavailable_node(policy: CheckPolicy) -> None:
    """Too few GPUs, or the first good check after an outage."""
    node = Node(policy)
    node.check(BAD)
    node.list_gpus(H200)
    assert node.values("up") == {labels(): 0}
    assert node.states() == {H200.slot: {"free": 1}}


def test_states_last_as_long_as_the_node_counts_as_available() -> None:
    """A failure below the threshold does not interrupt them, nor the number of GPUs."""
    node = Node(CheckPolicy(failure_threshold=2))
    node.list_gpus(H200)
    node.check(BAD)
    assert node.values("gpus_listed") == {labels(): 1}
    assert node.states() == {H200.slot: {"free": 1}}


def test_seconds_in_use_and_known_grow_from_check_to_check() -> None:
    """From 0, with the use that the earlier check listed; an outage adds to neither."""
    node = Node()
    node.list_gpus(H200, SECOND)
    in_use, known = (node.values(f"gpu_{name}_seconds_total") for name in ("in_use", "known"))
    assert in_use == known == {labels(slot=H200.slot): 0, labels(slot=SECOND.slot): 0}
    node.list_gpus(H200, SECOND, times=2)
    node.check(BAD)
    node.list_gpus(replace(H200, is_free=False), SECOND)
    node.list_gpus(H200, SECOND)
    assert node.values("gpu_in_use_seconds_total") == {
        labels(slot=H200.slot): 10,
        labels(slot=SECOND.slot): 30,
    }
    assert set(node.values("gpu_known_seconds_total").values()) == {30}


def test_forgotten_gpus_are_counted() -> None:
    """Not those that returned: only the count tells why fewer GPUs are listed than before."""
    node = Node()
    node.list_gpus(H200, SECOND)
    node.list_gpus(times=2)
    node.list_gpus(H200)
    assert node.values("gpus_forgotten_total") == {labels(): 0}
    node.metrics.on_gpus(forget(node.gpus, [SECOND.slot]))
    assert node.values("gpus_forgotten_total") == {labels(): 1}
    assert node.values("gpus_missing") == {labels(): 0}


def test_gpus_that_an_earlier_process_lost_are_missing_at_the_first_scrape() -> None:
    """Whether those that it listed are still there is not known yet."""
    lost = Node()
    lost.list_gpus(H200, SECOND)
    lost.list_gpus(SECOND, times=2)
    node = Node()
    node.metrics.on_gpus(restore(None, lost.gpus.stored, EPOCH))
    assert node.states() == {H200.slot: {"missing": 1}}
    assert node.values("gpus_missing") == {labels(): 1}


def test_gpus_without_a_slot_of_their_own_are_counted_together() -> None:
    """Slots that are no PCI address, and the second GPU of a slot."""
    odd = [replace(SECOND, slot=slot) for slot in ("", "GPU-0", "3b:00", "3b:00.0\n", "3b:20.0")]
    node = Node()
    node.list_gpus(H200, H200, *odd, times=2)
    assert node.states() == {H200.slot: {"free": 1}, "other": {"free": 1, "in_use": 5}}
    assert node.values("gpu_in_use_seconds_total")[labels(slot="other")] == 50
    assert node.values("gpu_known_seconds_total")[labels(slot="other")] == 60


def test_only_64_slots_have_series_as_long_as_the_process_runs() -> None:
    """Those that were listed first, also after others have come. All GPUs are counted."""

    def rack(bus: int) -> list[Gpu]:
        return [replace(H200, slot=f"{bus:04x}:{number:02x}:00.0") for number in range(100)]

    node = Node()
    node.list_gpus(*rack(0))
    first = node.states()
    node.list_gpus(*rack(1), times=2)
    assert node.states().keys() == first.keys()
    assert node.states()["other"] == {"free": 100, "missing": 36}
    node.list_gpus(*rack(0))
    assert {**node.states(), "other": {}} == {**first, "other": {}}
    assert len(first) == len(node.values("gpu_in_use_seconds_total")) == 65


SLOTS = st.sampled_from(("3b:00.0", "3B:00.0", "0000:9b:00.0", "other", "", "x" * 50 + '"\n'))


@given(st.lists(st.lists(gpus(SLOTS), max_size=5).map(tuple), max_size=6))
def test_any_sequence_of_listings_counts_each_gpu_once(listings: list[tuple[Gpu, ...]]) -> None:
    """Labels have a fixed form, and the states add up to the GPUs that are known."""
    node = Node()
    for listed in listings:
        node.check(GpuInventory(gpus=listed))
        states = node.states()
        assert states.keys() <= {"3b:00.0", "3B:00.0", "0000:9b:00.0", "other"}
        count = len(node.gpus.present) + len(node.gpus.missing)
        assert sum(sum(each.values()) for each in states.values()) == count
        for pairs in node.values("gpu_info"):
            each = dict(pairs)
            assert each["model"] in KNOWN_MODELS | {"other"}
            assert each["product_id"] == "" or len(each["product_id"]) == 9


@given(st.lists(check_results(), max_size=8))
def test_counters_of_slots_never_decrease(results: list[CheckResult]) -> None:
    """And no GPU is in use for longer than is known."""
    node = Node()
    before: dict[Labels, float] = {}
    for result in results:
        node.check(result)
        in_use = node.values("gpu_in_use_seconds_total")
        known = node.values("gpu_known_seconds_total")
        assert in_use.keys() == known.keys()
        assert all(0 <= in_use[each] <= known[each] for each in known)
        assert all(known[each] >= seconds for each, seconds in before.items())
        before = known
