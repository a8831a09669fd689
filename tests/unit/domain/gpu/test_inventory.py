"""The inventory of GPUs and its metadata."""

import msgspec
import pytest

from dstack_backend.domain.gpu import Gpu, GpuInventory, GpuMetadata
from dstack_backend.domain.inventory import Inventory


def gpu(*, is_free: bool = True, description: str = "") -> Gpu:
    """Return an H200."""
    return Gpu(slot="3b:00.0", product_id="10de:2335", description=description, is_free=is_free)


@pytest.mark.parametrize(
    ("gpus", "summary"),
    [
        ((), "no GPUs: the source lists none"),
        ((gpu(),), "1 GPU, 1 free"),
        ((gpu(is_free=False),), "1 GPU, 0 free"),
        ((gpu(), gpu(is_free=False), gpu()), "3 GPUs, 2 free"),
    ],
)
def test_summary_counts_the_gpus(gpus: tuple[Gpu, ...], summary: str) -> None:
    """The summary is one line for people."""
    inventory = GpuInventory(gpus=gpus)
    assert isinstance(inventory, Inventory)
    assert inventory.summary == summary
    assert inventory.is_empty == (not gpus)


def test_metadata_are_the_fields_of_the_source_with_model_and_counts() -> None:
    """The order of the GPUs is kept."""
    metadata = GpuInventory(gpus=(gpu(), gpu(is_free=False)), allow_attach_all=True).metadata()
    assert (metadata.gpu_count, metadata.free_gpu_count) == (2, 1)
    assert metadata.allow_attach_all
    assert metadata.gpus[0] == GpuMetadata(
        slot="3b:00.0",
        product_id="10de:2335",
        description="",
        is_free=True,
        model="H200 SXM 141GB",
    )
    assert [each.is_free for each in metadata.gpus] == [True, False]


def test_texts_that_cannot_be_encoded_are_replaced() -> None:
    """A source that reads files may return lone surrogates."""
    metadata = GpuInventory(gpus=(gpu(description="caf\udce9 \u00fc"),)).metadata()
    assert metadata.gpus[0].description == "caf? \u00fc"
    assert msgspec.json.decode(msgspec.json.encode(metadata))
