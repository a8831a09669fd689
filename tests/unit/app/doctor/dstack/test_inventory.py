"""Tests of the check of the inventory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.doctor.dstack.inventory import check_inventory, missing_from
from dstack_backend.app.doctor.finding import Verdict
from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory, MissingGpu, StoredGpus, TrackedGpu
from dstack_backend.domain.history import StoredHistory
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fakes import EPOCH

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
NVSWITCH = Gpu(slot="05:00.0", product_id="10de:22a3", description="", is_free=True)
OTHER = Gpu(slot="5e:00.0", product_id="10de:2335", description="", is_free=True)
RETURNED = Gpu(slot="86:00.0", product_id="10de:2335", description="", is_free=True)
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
    found = check_inventory(GpuInventory.from_devices((H200, NVSWITCH, UNKNOWN)))
    assert found.verdict is Verdict.WARNING
    assert found.text == (
        "2 GPUs, 1 free: 1 x H200 SXM 141GB; 1 of an unknown model (10de:ffff)"
        "; and NVSwitches (1 x 10de:22a3), which do not count as GPUs"
    )
    assert "update-pciids" in found.remedies[0]
    assert "remove 10de:22a3 from listing" in found.remedies[1]


def test_card_of_which_only_the_vendor_is_known_is_a_warning() -> None:
    """As DStack describes an AMD card that the host's PCI id list does not contain."""
    vendor = "Advanced Micro Devices, Inc. [AMD/ATI]"
    card = Gpu(slot="63:00.0", product_id="1002:74a5", description=vendor, is_free=True)
    found = check_inventory(GpuInventory(gpus=(card,)))
    assert found.verdict is Verdict.WARNING
    assert found.text == "1 GPU, 1 free; 1 of an unknown model (1002:74a5)"


def test_missing_gpu_is_a_warning_with_commands_to_copy() -> None:
    """Where it is, when it was last seen, and what to do."""
    found = check_inventory(GpuInventory(gpus=(H200,)), [MissingGpu(OTHER, EPOCH)])
    assert found.verdict is Verdict.WARNING
    assert found.text.endswith(
        "1 GPU is missing: H200 SXM 141GB in 5e:00.0 (last seen 2026-01-01 00:00:00 UTC)"
    )
    assert found.remedies[0] == "on the host: lspci -s 5e:00.0"
    assert found.remedies[-1].endswith("dstack-backend gpus --forget 5e:00.0")


@pytest.mark.parametrize("slot", ["", "3b:00.0; reboot", "$(reboot)", "a" * 40])
def test_slot_that_is_no_address_is_in_no_command(slot: str) -> None:
    """The commands are copied into a shell."""
    gpu = Gpu(slot=slot, product_id="10de:2335", description="", is_free=True)
    found = check_inventory(GpuInventory(gpus=(H200,)), [MissingGpu(gpu, EPOCH)])
    assert "in an unknown slot" in found.text
    assert found.remedies[0] == "on the host: lspci -s SLOT"
    assert found.remedies[-1].endswith("gpus --forget SLOT")


@pytest.mark.parametrize(("gpus", "required"), [((), 1), ((H200,), 2)])
def test_fewer_gpus_than_required_fail_the_step(gpus: tuple[Gpu, ...], required: int) -> None:
    """With the reason that `/status` has."""
    found = check_inventory(GpuInventory(gpus=gpus), min_gpus=required)
    assert (found.verdict, found.reason) == (Verdict.FAILED, Reason.TOO_FEW_GPUS)
    assert f"fewer than MIN_GPUS={required}" in found.text
    assert found.remedies[-1] == "or lower MIN_GPUS"
    enough = check_inventory(GpuInventory(gpus=(H200, H200)), min_gpus=required)
    assert enough.verdict is Verdict.OK


def test_gpus_that_the_service_knows_and_dstack_does_not_list_are_missing() -> None:
    """Those that were missing already, and those that are gone since; none that has returned."""
    known = StoredGpus(
        (TrackedGpu(H200, EPOCH), TrackedGpu(OTHER, EPOCH)),
        (MissingGpu(UNKNOWN, EPOCH), MissingGpu(RETURNED, EPOCH)),
    )
    stored = StoredHistory(alive_at=EPOCH, gpus=known)
    now = Timestamp(0.0, EPOCH)
    missing = missing_from(GpuInventory(gpus=(H200, RETURNED)), stored, now)
    assert {each.gpu.slot for each in missing} == {OTHER.slot, UNKNOWN.slot}
    assert missing_from(GpuInventory(), StoredHistory(), now) == ()


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
    missing = [MissingGpu(each, EPOCH) for each in gpus]
    found = check_inventory(GpuInventory.from_devices(gpus), missing)
    text = " ".join([found.text, *found.remedies])
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 3000


def test_product_id_of_another_form_is_not_shown() -> None:
    """DStack knows the token and could send it back as an id."""
    gpu = Gpu(slot="s3cr3t", product_id="s3cr3t", description="s3cr3t", is_free=True)
    found = check_inventory(GpuInventory(gpus=(gpu,)), [MissingGpu(gpu, EPOCH)])
    assert "s3cr3t" not in " ".join([found.text, *found.remedies])
    assert "1 that is not a product id" in found.text


def test_many_product_ids_are_not_all_shown() -> None:
    """The first eight are."""
    gpus = tuple(
        Gpu(slot="", product_id=f"ffff:000{n}", description="", is_free=True) for n in range(10)
    )
    assert "ffff:0007, 2 more)" in check_inventory(GpuInventory(gpus=gpus)).text
