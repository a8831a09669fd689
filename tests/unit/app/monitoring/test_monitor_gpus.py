"""The monitor and the GPUs: what observers are called with, and `/health`."""

import asyncio

import pytest
from msgspec import UNSET, Struct
from msgspec.structs import replace

from dstack_backend.adapters.httpx_dstack.decode import decode_listing
from dstack_backend.app.monitoring.monitor import Monitor
from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckPolicy,
    CheckResult,
    Gpu,
    GpuInventory,
    NodeIdentity,
    Reason,
)
from dstack_backend.domain.gpu import GpuState, MissingGpu, StoredGpus, TrackedGpu
from dstack_backend.domain.status import Change
from dstack_backend.testing.fakes import EPOCH, FakeClock, FakeGpuSource
from tests.unit.harness import MonitorHarness

A, B = (
    Gpu(slot=slot, product_id="10de:2335", description="NVIDIA", is_free=True)
    for slot in ("3b:00.0", "9b:00.0")
)
BOTH, ONE = GpuInventory(gpus=(A, B)), GpuInventory(gpus=(A,))
BAD = CheckFailure(Reason.CONNECTION_REFUSED)


class Disks(Struct, frozen=True):
    """An inventory of another resource."""

    is_empty: bool = False
    summary: str = "3 disks"
    source_version: str | None = None

    def metadata(self) -> Struct:
        """Return nothing."""
        return self


def changes(node: MonitorHarness) -> list[tuple[float, str, str]]:
    """Return the changes of GPUs: second, kind and slot."""
    return [
        ((each.at - EPOCH).total_seconds(), each.kind.value, each.gpu.slot)
        for state in node.observer.gpus
        for each in state.changes
    ]


def test_lost_gpu_is_checked_for_again_after_1_s() -> None:
    """And then on schedule; each change is passed once."""
    node = MonitorHarness([BOTH, ONE, ONE, ONE, BOTH])
    node.run_for(39)
    assert node.source.asked_at == [0, 10, 11, 21, 31]
    assert changes(node) == [(11, "lost", B.slot), (31, "found", B.slot)]
    assert node.announced == [(0, "available")]


def test_observers_are_called_after_good_checks_only() -> None:
    """After a failure the GPUs are the last known ones."""
    node = MonitorHarness([BOTH, BAD])
    node.run_for(11)
    (state,) = node.observer.gpus
    assert len(node.observer.checks) == 3
    known = node.monitor.gpus()
    assert known
    assert (known.present, known.last_good) == (state.present, None)


class Order:
    """Records the order of its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_check(self, check: Check) -> None:
        """Record it."""
        self.calls.append("check" if check.failure is None else "failure")

    def on_change(self, change: Change) -> None:
        """Record it."""
        self.calls.append(change.after.status)

    def on_gpus(self, gpus: GpuState) -> None:
        """Record it, and fail."""
        self.calls.append(f"{len(gpus.present)} GPUs")
        raise RuntimeError("of the observer")


@pytest.mark.parametrize(
    ("result", "calls"),
    [
        (BOTH, ["check", "2 GPUs", "available"]),
        (BAD, ["failure", "unavailable"]),
        (Disks(), ["check", "available"]),
    ],
)
def test_observers_are_called_with_the_gpus_after_the_check(
    result: CheckResult, calls: list[str]
) -> None:
    """Never for another inventory; one that raises stops nothing."""
    order = Order()
    monitor = Monitor(
        FakeGpuSource([result]),
        FakeClock(),
        policy=CheckPolicy(),
        identity=NodeIdentity(),
        observers=[order],
    )
    asyncio.run(monitor.check())
    assert order.calls == calls


STORED = StoredGpus(
    (TrackedGpu(A, EPOCH),), (MissingGpu(replace(B, slot="c1:00.0"), EPOCH), MissingGpu(B, EPOCH))
)


def test_gpus_of_an_earlier_process_are_continued_and_forgotten() -> None:
    """Observers are called for both; nothing is to be forgotten where no GPU is known."""
    node = MonitorHarness([ONE])
    node.monitor.forget_gpus([B.slot])
    assert node.observer.gpus == []
    node.monitor.restore_gpus(STORED, EPOCH)
    node.monitor.forget_gpus([B.slot])
    assert [[key[0] for key in each.missing] for each in node.observer.gpus] == [
        ["c1:00.0", B.slot],
        ["c1:00.0"],
    ]
    node.run_for(0)
    known = node.monitor.gpus()
    assert known
    assert (list(known.present), list(known.missing)) == ([(A.slot, 0)], [("c1:00.0", 0)])


def test_other_inventory_has_nothing_of_gpus() -> None:
    """Not even where the data of another source were found."""
    node = MonitorHarness([Disks()])
    node.monitor.restore_gpus(STORED, EPOCH)
    node.run_for(0)
    shown = node.monitor.report()
    assert node.monitor.gpus() is None
    assert (shown.degraded, shown.missing, shown.other_devices) == (UNSET, UNSET, UNSET)
    assert len(node.observer.gpus) == 1


def test_too_few_gpus_make_the_node_unavailable() -> None:
    """When the loss is confirmed, until they are back."""
    node = MonitorHarness([BOTH, ONE, ONE, ONE, BOTH], policy=CheckPolicy(min_gpus=2))

    async def scenario() -> None:
        await node.clock.advance(10)
        assert node.health == "available"
        await node.clock.advance(1)
        assert node.health == "Too few GPUs: 1 listed, at least 2 required"
        await node.clock.advance(20)
        assert node.health == "available"

    node.play(scenario)
    assert node.announced == [(0, "available"), (11, "too_few_gpus"), (31, "available")]


@pytest.mark.parametrize("restart", [True, False])
def test_required_gpus_do_not_flap_at_a_start(*, restart: bool) -> None:
    """Neither on a list that is short once, nor where an earlier process has seen them."""
    node = MonitorHarness([ONE, ONE, BOTH], policy=CheckPolicy(min_gpus=2))
    present = (TrackedGpu(A, EPOCH), TrackedGpu(B, EPOCH))

    async def scenario() -> None:
        if restart:
            node.monitor.restore_gpus(StoredGpus(present), EPOCH)
        await node.clock.advance(10)

    node.play(scenario)
    assert node.announced == [(0, "too_few_gpus")]


def test_stored_gpus_are_required_after_the_first_confirmed_loss() -> None:
    """Where the store is read before the first check, a list that is short once changes nothing."""
    present = (TrackedGpu(A, EPOCH), TrackedGpu(B, EPOCH))
    for results, announced in (
        ([ONE, BOTH], [(0, "available")]),
        ([ONE], [(0, "available"), (1, "too_few_gpus")]),
    ):
        node = MonitorHarness(results, policy=CheckPolicy(min_gpus=2))
        node.monitor.restore_gpus(StoredGpus(present), EPOCH)
        node.run_for(10)
        assert node.announced == announced


def test_required_gpus_that_are_never_listed_go_stale() -> None:
    """The other reasons hold as well."""
    node = MonitorHarness([ONE, BAD], policy=CheckPolicy(min_gpus=2))
    node.run_for(10)
    assert node.announced == [(0, "too_few_gpus"), (10, "connection_refused")]
    stale = MonitorHarness([BOTH], policy=CheckPolicy(min_gpus=2))

    async def scenario() -> None:
        stale.source.hang()
        await stale.clock.advance(46)
        assert stale.health == "Stale: the last check finished 46 s ago"

    stale.play(scenario)


LISTED = b'{"slot":"%s","product_id":"%s","description":"NVIDIA","is_free":%s}'
SWITCHES = [LISTED % (b"05:00.0", each, b"true") for each in (b"10de:22a3", b"10DE:1AF1")]
GPU_A, GPU_B = (
    LISTED % (b"9b:00.0", b"10de:2335", b"true"),
    LISTED % (b"3b:00.0", b"10de:ffff", b"false"),
)
HEALTH = (
    rb'{"version":"1.0.0","topic":"dstack-gpu-monitor","pubkeys":[],"status":"available",'
    rb'"metadata":"{\"gpu_count\":%d,\"gpus\":[%b],\"allow_attach_all\":true,'
    rb'\"free_gpu_count\":%d}"}'
)
METADATA = (
    rb"{\"slot\":\"9b:00.0\",\"product_id\":\"10de:2335\",\"description\":\"NVIDIA\","
    rb"\"is_free\":true,\"model\":\"H200 SXM 141GB\"},"
    rb"{\"slot\":\"3b:00.0\",\"product_id\":\"10de:ffff\",\"description\":\"NVIDIA\","
    rb"\"is_free\":false,\"model\":null}"
)


@pytest.mark.parametrize(
    ("listed", "body"),
    [
        pytest.param([GPU_A, GPU_B], HEALTH % (2, METADATA, 1), id="GPUs in their order"),
        pytest.param([], HEALTH % (0, b"", 0), id="none"),
        pytest.param(
            [SWITCHES[0], GPU_A, SWITCHES[1], GPU_B],
            HEALTH % (2, METADATA, 1),
            id="NVSwitches are left out",
        ),
        pytest.param(SWITCHES, HEALTH % (0, b"", 0), id="nothing but NVSwitches"),
    ],
)
def test_bytes_of_health(listed: list[bytes], body: bytes) -> None:
    """They are those of the contract, byte for byte."""
    listing = b'{"gpus":[%b],"allow_attach_all":true}' % b",".join(listed)
    node = MonitorHarness([decode_listing(listing)])
    node.run_for(0)
    assert node.monitor.response().body == body
    assert node.monitor.report().degraded == (METADATA not in body)
