"""A change of a GPU as a line for people."""

from datetime import UTC, datetime

import pytest

from dstack_backend.domain import Gpu
from dstack_backend.domain.gpu import GpuChange, GpuChangeKind, gpu_name
from tests.unit.domain.gpu.gpu_events import gpu

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
H200 = gpu("3b:00.0")


@pytest.mark.parametrize(
    ("change", "message", "has_returned"),
    [
        (
            GpuChange(GpuChangeKind.LOST, AT, H200, AT),
            "lost: H200 SXM 141GB in 3b:00.0, last seen 2026-01-02 03:04:05 UTC",
            False,
        ),
        (
            GpuChange(GpuChangeKind.FOUND, AT, H200, AT),
            "returned: H200 SXM 141GB in 3b:00.0, missing since 2026-01-02 03:04:05 UTC",
            True,
        ),
        (
            GpuChange(GpuChangeKind.REPLACED, AT, H200, AT, gpu("3b:00.0", "10de:2331")),
            "replaced: H200 SXM 141GB in 3b:00.0, formerly H100 PCIe",
            True,
        ),
        (GpuChange(GpuChangeKind.FOUND, AT, H200), "found: H200 SXM 141GB in 3b:00.0", False),
        (
            GpuChange(GpuChangeKind.ALLOCATED, AT, H200),
            "allocated: H200 SXM 141GB in 3b:00.0",
            False,
        ),
        (GpuChange(GpuChangeKind.RELEASED, AT, H200), "released: H200 SXM 141GB in 3b:00.0", False),
    ],
)
def test_message_of_a_change(change: GpuChange, message: str, *, has_returned: bool) -> None:
    """Model and slot, and when it was last seen."""
    assert (change.message, change.has_returned) == (message, has_returned)


def test_only_allocation_and_release_are_use() -> None:
    """The others concern the hardware."""
    assert [kind.value for kind in GpuChangeKind if kind.is_use] == ["allocated", "released"]


@pytest.mark.parametrize(
    ("slot", "product_id", "name"),
    [
        ("3b:00.0", "10de:ffff", "10de:ffff in 3b:00.0"),
        ("", "", "a GPU of an unknown model in an unknown slot"),
        ("a\x1b[31m\nb", "x", "x in a\\u001b[31m\\nb"),
    ],
)
def test_name_is_one_printable_line(slot: str, product_id: str, name: str) -> None:
    """Whatever the source sends."""
    found = gpu_name(Gpu(slot=slot, product_id=product_id, description="", is_free=True))
    assert found == name
    assert found.isprintable()
