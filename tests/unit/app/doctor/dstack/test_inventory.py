"""Tests of the check of the inventory."""

from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.doctor.dstack.inventory import check_inventory
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.domain.gpu import Gpu, GpuInventory

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
NVSWITCH = Gpu(slot="05:00.0", product_id="10de:22a3", description="", is_free=True)
UNKNOWN = Gpu(slot="06:00.0", product_id="10de:ffff", description="NVIDIA Corp", is_free=False)


def test_empty_inventory_is_a_warning_that_names_the_setting() -> None:
    """It names no product id: DStack's default changes from version to version."""
    found = check_inventory(GpuInventory())
    assert found.verdict is Verdict.WARNING
    remedies = " ".join(found.remedies)
    assert "[cvm.gpu]" in remedies
    assert "listing" in remedies
    assert "10de:" not in remedies


def test_gpus_are_counted_by_model() -> None:
    """The summary comes first."""
    found = check_inventory(GpuInventory(gpus=(H200, H200)))
    assert (found.verdict, found.text) == (Verdict.OK, "2 GPUs, 2 free: 2 x H200 SXM 141GB")


def test_nvswitches_and_unknown_models_are_a_warning_with_their_ids() -> None:
    """Each has its own remedy."""
    found = check_inventory(GpuInventory(gpus=(H200, NVSWITCH, UNKNOWN)))
    assert found.verdict is Verdict.WARNING
    assert "NVSwitches (10de:22a3)" in found.text
    assert "unknown model (10de:ffff)" in found.text
    assert "remove 10de:22a3 from listing" in found.remedies[0]
    assert "update-pciids" in found.remedies[1]


def test_card_of_which_only_the_vendor_is_known_is_a_warning() -> None:
    """As DStack describes an AMD card that the host's PCI id list does not contain."""
    vendor = "Advanced Micro Devices, Inc. [AMD/ATI]"
    card = Gpu(slot="63:00.0", product_id="1002:74a5", description=vendor, is_free=True)
    found = check_inventory(GpuInventory(gpus=(card,)))
    assert found.verdict is Verdict.WARNING
    assert found.text == "1 GPU, 1 free; 1 of an unknown model (1002:74a5)"


@given(
    st.lists(
        st.builds(
            Gpu, slot=st.text(), product_id=st.text(), description=st.text(), is_free=st.booleans()
        ),
        max_size=20,
    )
)
def test_texts_of_dstack_are_sanitized(gpus: list[Gpu]) -> None:
    """Whatever DStack sends, the finding is printable ASCII, in one line, not long."""
    found = check_inventory(GpuInventory(gpus=tuple(gpus)))
    text = " ".join([found.text, *found.remedies])
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 2000


def test_product_id_of_another_form_is_not_shown() -> None:
    """DStack knows the token and could send it back as an id."""
    gpu = Gpu(slot="s3cr3t", product_id="s3cr3t", description="s3cr3t", is_free=True)
    found = check_inventory(GpuInventory(gpus=(gpu,)))
    assert "s3cr3t" not in " ".join([found.text, *found.remedies])
    assert "1 that is not a product id" in found.text


def test_many_product_ids_are_not_all_shown() -> None:
    """The first eight are."""
    gpus = tuple(
        Gpu(slot="", product_id=f"ffff:000{n}", description="", is_free=True) for n in range(10)
    )
    assert "ffff:0007, 2 more)" in check_inventory(GpuInventory(gpus=gpus)).text
