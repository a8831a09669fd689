"""Devices that are no GPUs, as reports list them."""

from datetime import UTC, datetime

from dstack_backend.domain import Gpu, GpuInventory, Timestamp
from dstack_backend.domain.gpu import other_devices, track

NOW = Timestamp(0.0, datetime(2026, 1, 1, tzinfo=UTC))


def test_other_devices_are_bounded() -> None:
    """The first of them, with texts that are cut and can be encoded."""
    texts = "\ud800" + "x" * 999
    devices = tuple(
        Gpu(slot=f"{number:02}{texts}", product_id=texts, description=texts, is_free=True)
        for number in range(100)
    )
    listed = other_devices(track(None, GpuInventory(other_devices=devices), NOW, 35.0))
    assert [each.slot[:3] for each in listed] == [f"{number:02}?" for number in range(64)]
    assert {(len(each.slot), len(each.product_id)) for each in listed} == {(40, 200)}
    assert {len(each.description) for each in listed} == {200}
