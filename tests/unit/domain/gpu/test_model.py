"""The marketing name of a GPU, from its product id or its description."""

import pytest
from hypothesis import given

from dstack_backend.domain.gpu import KNOWN_MODELS, Gpu, is_pci_address, model_of
from dstack_backend.testing.strategies import gpus


@pytest.mark.parametrize(
    ("ids", "model"),
    [
        ("20b0", "A100 SXM4 40GB"),
        ("20b2", "A100 SXM4 80GB"),
        ("20b1", "A100 PCIe 40GB"),
        ("20b5", "A100 PCIe 80GB"),
        ("20b3", "A100 SXM 64GB"),
        ("20b7", "A30"),
        ("25b6", "A2 / A16"),
        ("2330", "H100 SXM5 80GB"),
        ("2331", "H100 PCIe"),
        ("2321", "H100 NVL"),
        ("2313", "H100 CNX"),
        ("2335", "H200 SXM 141GB"),
        ("233b", "H200 NVL"),
        ("2322 2324 233a", "H800"),
        ("2329 2328 232c 230e", "H20"),
        ("2342 2343 2345 2348", "GH200"),
        ("2901 2909", "B200"),
        ("3182", "B300"),
        ("26b5", "L40"),
        ("26b9", "L40S"),
        ("26b8", "L40G"),
        ("26b7 26ba", "L20"),
        ("27b6", "L2"),
        ("27b8", "L4"),
    ],
)
def test_table_has_the_data_centre_models(ids: str, model: str) -> None:
    """The name comes from the product id where the description has only the vendor."""
    assert {model_of(f"10de:{each}", "NVIDIA Corporation") for each in ids.split()} == {model}


@pytest.mark.parametrize("device", ["2336", "2337", "2338", "2339"])
def test_h100_variants_are_named_h100(device: str) -> None:
    """Where sources of the name differ, the coarser one is in the table."""
    assert (model_of(f"10de:{device}", "") or "").startswith("H100")


@pytest.mark.parametrize("device", ["22a3", "1af1"])
def test_nvswitch_has_no_model(device: str) -> None:
    """NVSwitches are not GPUs."""
    assert model_of(f"10de:{device}", "NVIDIA Corporation") is None


@pytest.mark.parametrize(
    ("product_id", "description", "model"),
    [
        pytest.param(
            "10de:2335", "NVIDIA Corporation GH100 [Other]", "H200 SXM 141GB", id="table first"
        ),
        pytest.param("10DE:2335", "", "H200 SXM 141GB", id="upper case"),
        pytest.param(
            "10de:ffff", "NVIDIA Corporation GX1 [X1 PCIe]", "X1 PCIe", id="then brackets"
        ),
        pytest.param("10de:ffff", "NVIDIA GX1 [X1] (rev a1)", "X1", id="revision after brackets"),
        pytest.param("10de:ffff", "Vendor [old/new] GX1 [X1]", "X1", id="last brackets"),
        pytest.param("10de:ffff", "GX1 [ X1 ]", "X1", id="stripped"),
        pytest.param("10de:ffff", "GX1 [X]", "X", id="one letter"),
        pytest.param("1002:2335", "AMD [MI300X]", "MI300X", id="other vendor"),
        pytest.param("10df:2335", "no name", None, id="vendor next to NVIDIA"),
        pytest.param("2335", "no colon", None, id="no vendor"),
        pytest.param("10de:ffff", "NVIDIA Corporation", None, id="no brackets"),
        pytest.param("10de:ffff", "NVIDIA [X1] board", None, id="brackets in the middle"),
        pytest.param("10de:ffff", "Device [10de:ffff]", None, id="id in brackets"),
        pytest.param("10de:ffff", "Device [FFFF]", None, id="half an id in brackets"),
        pytest.param("10de:ffff", "GX1 []", None, id="empty brackets"),
        pytest.param("10de:ffff", "GX1 [  ]", None, id="blank brackets"),
        pytest.param("10de:ffff", "GX1 [X\x1b1]", None, id="control character"),
        pytest.param("10de:ffff", f"GX1 [{'X' * 64}]", "X" * 64, id="64 characters"),
        pytest.param("10de:ffff", f"GX1 [{'X' * 65}]", None, id="65 characters"),
    ],
)
def test_name_is_from_the_table_or_the_last_brackets(
    product_id: str, description: str, model: str | None
) -> None:
    """The table has precedence. Without either there is no name."""
    assert model_of(product_id, description) == model


# The vendors of the PCI ID Repository whose name ends in brackets. DStack drops the word `Device`
# that lspci prints for a card without a name, so nothing follows the vendor.
VENDORS = [
    "Advanced Micro Devices, Inc. [AMD/ATI]",
    "Advanced Micro Devices, Inc. [AMD]",
    "Acer Incorporated [ALI]",
    "Avance Logic Inc. [ALI]",
    "First International Computers [FIC]",
    "Herrick Technology Laboratories, Inc. [HTL]",
    "LG Electronics [Lucky Goldstar Co. Ltd]",
    "Macronix, Inc. [MXIC]",
    "Micro-Star International Co., Ltd. [MSI]",
    "Silicon Integrated Systems [SiS]",
    "Standard Microsystems Corp [SMC]",
    "T1042 [Freescale]",
    "United Microelectronics [UMC]",
]


@pytest.mark.parametrize("vendor", VENDORS)
def test_alias_of_a_vendor_is_no_model(vendor: str) -> None:
    """With a revision or without. The name of a card that follows the vendor is one."""
    assert model_of("1002:74a5", vendor) is None
    assert model_of("1002:74a5", f"{vendor} (rev c1)") is None
    assert model_of("1002:74a5", f"{vendor} Aqua [Instinct MI325X]") == "Instinct MI325X"


@given(gpus())
def test_model_is_known_or_a_short_printable_part_of_the_description(card: Gpu) -> None:
    """Whatever the texts contain, a name is one line of at most 64 characters, or `None`."""
    model = card.model
    if model is not None and model not in KNOWN_MODELS:
        assert model in card.description
        assert model.isprintable()
        assert model == model.strip()
        assert 0 < len(model) <= 64


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "description",
    [
        pytest.param("[" * 1_000_000, id="opening brackets"),
        pytest.param("[]" * 500_000, id="empty brackets"),
        pytest.param("[X" * 500_000, id="unclosed names"),
        pytest.param("[X] " * 250_000 + "X", id="names before the end"),
        pytest.param("[X]" + " " * 1_000_000 + "X", id="name and spaces"),
        pytest.param("[X] (rev " + "a" * 1_000_000, id="unclosed revision"),
        pytest.param("[X]" + " " * 9**6 + "(rev a)" + " " * 9**6 + "X", id="spaces on both sides"),
    ],
)
def test_hostile_description_takes_linear_time(description: str) -> None:
    """Otherwise one answer with a megabyte of brackets would block the service."""
    assert model_of("10de:ffff", description) is None


@pytest.mark.parametrize("slot", ["3b:00.0", "0000:3b:00.0", "00010000:AF:1f.7"])
def test_pci_address_is_as_lspci_prints_it(slot: str) -> None:
    """With or without a domain."""
    assert is_pci_address(slot)


@pytest.mark.parametrize(
    "slot", ["", "3b:00", "3b:00.0\n", " 3b:00.0", "3b:00.8", "3b:20.0", "$(x)", "3b:00.0;reboot"]
)
def test_anything_else_is_no_pci_address(slot: str) -> None:
    """It must not appear in a command that an operator may copy."""
    assert not is_pci_address(slot)
