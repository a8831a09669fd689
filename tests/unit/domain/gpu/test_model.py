"""From product id and description to the marketing name."""

import pytest
from hypothesis import given

from dstack_backend.domain import KNOWN_MODELS, Gpu, model_of
from dstack_backend.testing.strategies import gpus


def gpu(product_id: str, description: str) -> Gpu:
    """A free GPU at some slot."""
    return Gpu(slot="3b:00.0", product_id=product_id, description=description, is_free=True)


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
def test_the_table_knows_the_data_centre_cards(ids: str, model: str) -> None:
    """With a description that names only the vendor, the product id gives the name."""
    assert {model_of(gpu(f"10de:{each}", "NVIDIA Corporation")) for each in ids.split()} == {model}


@pytest.mark.parametrize("device", ["2336", "2337", "2338", "2339"])
def test_variants_of_the_h100_are_named_no_finer_than_they_are_known(device: str) -> None:
    """Where sources differ the name is coarse, and an H100 all the same."""
    assert (model_of(gpu(f"10de:{device}", "")) or "").startswith("H100")


@pytest.mark.parametrize("device", ["22a3", "1af1"])
def test_a_switch_is_no_gpu(device: str) -> None:
    """NVSwitches have no model."""
    assert model_of(gpu(f"10de:{device}", "NVIDIA Corporation")) is None


@pytest.mark.parametrize(
    ("product_id", "description", "model"),
    [
        pytest.param(
            "10de:2335", "NVIDIA Corporation GH100 [Other]", "H200 SXM 141GB", id="the table first"
        ),
        pytest.param("10DE:2335", "", "H200 SXM 141GB", id="in either case"),
        pytest.param(
            "10de:ffff", "NVIDIA Corporation GX1 [X1 PCIe]", "X1 PCIe", id="then the brackets"
        ),
        pytest.param(
            "10de:ffff", "NVIDIA GX1 [X1] (rev a1)", "X1", id="with a revision behind them"
        ),
        pytest.param("10de:ffff", "Vendor [old/new] GX1 [X1]", "X1", id="the last ones"),
        pytest.param("10de:ffff", "GX1 [ X1 ]", "X1", id="without the spaces around"),
        pytest.param("10de:ffff", "GX1 [X]", "X", id="a name of one letter"),
        pytest.param("1002:2335", "AMD [MI300X]", "MI300X", id="an id of another vendor"),
        pytest.param("10df:2335", "no name", None, id="an id of a vendor next to NVIDIA"),
        pytest.param("2335", "no colon", None, id="an id without a vendor"),
        pytest.param("10de:ffff", "NVIDIA Corporation", None, id="no brackets"),
        pytest.param("1002:74a1", "AMD [AMD/ATI] Device 74a1", None, id="brackets in the middle"),
        pytest.param("10de:ffff", "Device [10de:ffff]", None, id="an id in brackets"),
        pytest.param("10de:ffff", "Device [FFFF]", None, id="half an id in brackets"),
        pytest.param("10de:ffff", "GX1 []", None, id="empty brackets"),
        pytest.param("10de:ffff", "GX1 [  ]", None, id="blank brackets"),
        pytest.param("10de:ffff", "GX1 [X\x1b1]", None, id="a control character"),
        pytest.param("10de:ffff", f"GX1 [{'X' * 64}]", "X" * 64, id="64 characters"),
        pytest.param("10de:ffff", f"GX1 [{'X' * 65}]", None, id="more than a name has"),
    ],
)
def test_where_the_name_comes_from(product_id: str, description: str, model: str | None) -> None:
    """First the table, then the last brackets, and nothing is guessed."""
    assert model_of(gpu(product_id, description)) == model


@given(gpus())
def test_a_model_is_known_or_a_short_printable_part_of_the_description(card: Gpu) -> None:
    """Whatever the texts hold, a name is one line of at most 64 characters, or there is none."""
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
        pytest.param("[" * 1_000_000, id="brackets that open"),
        pytest.param("[]" * 500_000, id="brackets that hold nothing"),
        pytest.param("[X" * 500_000, id="names that do not end"),
        pytest.param("[X] " * 250_000 + "X", id="names everywhere but at the end"),
        pytest.param("[X]" + " " * 1_000_000 + "X", id="a name and a gulf"),
        pytest.param("[X] (rev " + "a" * 1_000_000, id="a revision that does not end"),
        pytest.param("[X]" + " " * 9**6 + "(rev a)" + " " * 9**6 + "X", id="a gulf on both sides"),
    ],
)
def test_a_hostile_description_takes_no_time(description: str) -> None:
    """A search for brackets in a megabyte is linear: else one answer stops the whole service."""
    assert model_of(gpu("10de:ffff", description)) is None
