"""The node type: model and count."""

import re

import pytest
from hypothesis import given

from dstack_backend.domain.gpu import KNOWN_MODELS, Gpu, GpuInventory, NoNodeType, node_type
from dstack_backend.testing.strategies import inventories


def named(*models: str) -> GpuInventory:
    """Return GPUs whose descriptions contain these models."""
    return GpuInventory(
        gpus=tuple(
            Gpu(slot="3b:00.0", product_id="10de:ffff", description=f"[{model}]", is_free=False)
            for model in models
        )
    )


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["H200 SXM 141GB"] * 8, "node-H200x8"),
        (["H100 PCIe"], "node-H100x1"),
        (["A100 PCIe 80GB"] * 4, "node-A100x4"),
        (["A100X"], "node-A100Xx1"),
        (["RTX PRO 6000 Blackwell Server Edition"] * 2, "node-RTXPRO6000x2"),
        (["L40S"] * 10, "node-L40Sx10"),
        (["H100 SXM5 80GB", "H100"], "node-H100x2"),
        ([], NoNodeType.NO_GPUS),
        (["H200 SXM 141GB", "H100 PCIe"], NoNodeType.MIXED_MODELS),
        (["H200 SXM 141GB", ""], NoNodeType.UNKNOWN_MODEL),
        (["A2 / A16"], NoNodeType.UNKNOWN_MODEL),
        (["A2/A16"], NoNodeType.UNKNOWN_MODEL),
        (["Graphics Device"], NoNodeType.UNKNOWN_MODEL),
        (["H200;reboot"], NoNodeType.UNKNOWN_MODEL),
        (["H\N{SUPERSCRIPT TWO}00"], NoNodeType.UNKNOWN_MODEL),
    ],
)
def test_node_type_is_model_and_count(models: list[str], expected: object) -> None:
    """All GPUs count. Without one common model there is no type."""
    assert node_type(named(*models)) == expected


@pytest.mark.parametrize("model", sorted(KNOWN_MODELS - {"A2 / A16"}))
def test_known_models_have_a_short_name(model: str) -> None:
    """It is a prefix of the name without spaces. Only the name of two models has none."""
    kind = node_type(named(f"{model} card"))  # `A800` alone could be half a PCI id
    assert isinstance(kind, str)
    short = kind.removeprefix("node-").removesuffix("x1")
    assert model.replace(" ", "").startswith(short)
    assert re.fullmatch(r"[A-Z]*[0-9]+[A-Z]?", short)


@given(inventories())
def test_any_inventory_has_a_valid_type_or_a_reason(inventory: GpuInventory) -> None:
    """Whatever texts the source sends, a type consists of letters, digits and the count."""
    kind = node_type(inventory)
    if isinstance(kind, str):
        assert re.fullmatch(rf"node-[A-Za-z0-9]+x{len(inventory.gpus)}", kind)
    else:
        assert kind in NoNodeType


def test_reason_for_no_node_type_is_a_line_for_people() -> None:
    """The start-up log contains it."""
    assert NoNodeType.NO_GPUS.message == "there are no GPUs"
