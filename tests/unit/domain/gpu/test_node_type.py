"""The node type, and the address on the way out."""

import re
import socket

import pytest
from hypothesis import given

from dstack_backend.adapters.ip_address import outgoing_address
from dstack_backend.domain import KNOWN_MODELS, Gpu, GpuInventory, NoNodeType, node_type
from dstack_backend.testing.strategies import inventories

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
LOCAL, NOWHERE = (IPV4, "127.0.0.1"), (IPV4, "255.255.255.255")  # nobody may connect to all


def named(*models: str) -> GpuInventory:
    """An inventory of GPUs whose descriptions name these models."""
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
def test_the_node_type(models: list[str], expected: object) -> None:
    """Model and count of all GPUs, free or not; nothing where no one model can be named."""
    assert node_type(named(*models)) == expected


@pytest.mark.parametrize("model", sorted(KNOWN_MODELS - {"A2 / A16"}))
def test_every_known_model_has_a_short_name(model: str) -> None:
    """It begins the model's name, but for blanks; only a name of two models has none."""
    kind = node_type(named(f"{model} card"))  # `A800` alone could be half a PCI id
    assert isinstance(kind, str)
    short = kind.removeprefix("node-").removesuffix("x1")
    assert model.replace(" ", "").startswith(short)
    assert re.fullmatch(r"[A-Z]*[0-9]+[A-Z]?", short)


@given(inventories())
def test_any_inventory_has_a_plain_type_or_a_reason(inventory: GpuInventory) -> None:
    """Whatever a source's texts hold, a type is letters and digits, and counts all GPUs."""
    kind = node_type(inventory)
    if isinstance(kind, str):
        assert re.fullmatch(rf"node-[A-Za-z0-9]+x{len(inventory.gpus)}", kind)
    else:
        assert kind in NoNodeType


@pytest.mark.parametrize(
    ("destinations", "address"),
    [
        ([LOCAL], "127.0.0.1"),
        ([NOWHERE, LOCAL], "127.0.0.1"),
        ([NOWHERE], None),
        ([(IPV6, "127.0.0.1")], None),
        ([], None),
    ],
)
def test_the_address_is_that_of_the_first_route(
    destinations: list[tuple[socket.AddressFamily, str]], address: str | None
) -> None:
    """One that leads nowhere is passed over; with none left there is no address."""
    assert outgoing_address(destinations) == address
