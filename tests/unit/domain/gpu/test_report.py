"""The body of `GET /gpus`."""

from datetime import timedelta

from msgspec.structs import replace

from dstack_backend.domain import GpuInventory
from dstack_backend.domain.gpu import (
    GpuUse,
    MissingGpuReport,
    UseReport,
    UseShare,
    gpu_report,
    interrupt,
    track,
)
from dstack_backend.testing.fakes import EPOCH
from tests.unit.domain.gpu.gpu_events import MAX_GAP, START, good, gpu, h200, state_after

A, B = "3b:00.0", "9b:00.0"
NVSWITCH = gpu("05:00.0", "10de:22a3")
USE = GpuUse(
    node={"24h": UseShare(1.0, 2.0, 3.0)},
    slots={A: {"24h": UseShare(1.0, 2.0, 3.0), "7d": UseShare(0.0, 0.0, 5.0)}},
)


def test_report_has_each_gpu_with_its_state_and_use() -> None:
    """One without a record of its use has none."""
    state = state_after(good(0, *h200(A, B)), good(10, *h200(A, B, used=A)))
    report = gpu_report(state, USE)
    assert (report.degraded, report.current, report.missing) == (False, True, ())
    assert report.seen_at == EPOCH + timedelta(seconds=10)
    assert report.use == {"24h": UseReport(33.333333, 50.0)}
    one, other = report.gpus
    assert (one.slot, one.model, one.state) == (A, "H200 SXM 141GB", "in_use")
    assert (one.product_id, one.description) == ("10de:2335", "NVIDIA")
    assert (one.since, other.since) == (EPOCH + timedelta(seconds=10), EPOCH)
    assert one.use == {"24h": UseReport(33.333333, 50.0), "7d": UseReport(None, 100.0)}
    assert (other.slot, other.state, other.use) == (B, "free", {})


def test_report_names_missing_gpus() -> None:
    """The node is degraded."""
    checks = good(0, *h200(A, B)), good(10, *h200(A)), good(11, *h200(A))
    report = gpu_report(state_after(*checks), GpuUse())
    assert report.degraded
    assert [each.slot for each in report.gpus] == [A]
    missing = MissingGpuReport(
        slot=B, product_id="10de:2335", model="H200 SXM 141GB", last_seen=EPOCH
    )
    assert report.missing == (missing,)


def test_report_after_a_failure_has_the_last_known_gpus() -> None:
    """They are marked as such."""
    report = gpu_report(interrupt(state_after(good(0, *h200(A)))), GpuUse())
    assert not report.current
    assert [each.slot for each in report.gpus] == [A]


def test_report_lists_other_devices_apart() -> None:
    """A node with nothing but NVSwitches has no GPU: degraded."""
    inventory = GpuInventory.from_devices([NVSWITCH, replace(NVSWITCH, slot="06:00.0\udce9")])
    report = gpu_report(track(None, inventory, START, MAX_GAP), GpuUse())
    assert (report.gpus, report.degraded) == ((), True)
    assert [each.slot for each in report.other_devices] == ["05:00.0", "06:00.0?"]
