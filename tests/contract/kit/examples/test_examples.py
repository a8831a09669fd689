"""The sources of the examples, tested with the kit. Each example has less than 60 lines."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from dstack_backend.domain import CheckFailure, Gpu, GpuInventory, GpuSource, Inventory
from dstack_backend.testing.contracts import GpuSourceContract, check_result
from examples.storage_node import VolumeFolder
from examples.sysfs_gpus import SysfsGpus
from tests.contract.kit.examples.backend_process import EXAMPLES
from tests.contract.kit.examples.sysfs import H200, plug

AUDIO = {"vendor": "0x10de", "device": "0x10f0", "class": "0x040300"}
NVSWITCH = {"vendor": "0x10de", "device": "0x22a3", "class": "0x068000"}
OTHER_GPU = {"vendor": "0x1002", "device": "0x74a1", "class": "0x038000"}

NAMES = ["sysfs_gpus.py", "domain_in_werkzeug.py", "storage_node.py"]


@pytest.mark.parametrize("name", NAMES)
def test_example_has_less_than_60_lines(name: str) -> None:
    """A backend must be short to write."""
    assert len((EXAMPLES / name).read_text().splitlines()) < 60


def test_every_example_is_tested() -> None:
    """There is no other file."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*NAMES, "__init__.py"}


def _slots(result: object) -> Sequence[str]:
    assert isinstance(result, GpuInventory)
    return [gpu.slot for gpu in result.gpus]


def test_sysfs_lists_nvidia_display_controllers_by_slot(tmp_path: Path) -> None:
    """Audio functions, switches and other vendors' cards are left out; enabled cards are used."""
    plug(tmp_path, "0000:9b:00.0", H200, enable=1)
    plug(tmp_path, "0000:3b:00.0", H200)
    plug(tmp_path, "0000:3b:00.1", AUDIO)
    plug(tmp_path, "0000:05:00.0", NVSWITCH)
    plug(tmp_path, "0000:c1:00.0", OTHER_GPU)
    free, used = (
        Gpu(slot=slot, product_id="10de:2335", description="NVIDIA", is_free=is_free)
        for slot, is_free in (("0000:3b:00.0", True), ("0000:9b:00.0", False))
    )
    assert asyncio.run(SysfsGpus(tmp_path).list_gpus()) == GpuInventory(gpus=(free, used))


def test_sysfs_leaves_out_virtual_functions(tmp_path: Path) -> None:
    """Three cards with four SR-IOV virtual functions are three GPUs, not seven."""
    cards = [f"0000:{bus}:00.0" for bus in ("3b", "4c", "9b")]
    for card in cards:
        plug(tmp_path, card, H200)
    for number in range(4, 8):
        plug(tmp_path, f"0000:3b:00.{number}", H200)
        (tmp_path / f"0000:3b:00.{number}" / "physfn").symlink_to(f"../{cards[0]}")
    assert _slots(asyncio.run(SysfsGpus(tmp_path).list_gpus())) == cards


def test_sysfs_of_this_machine_can_be_read() -> None:
    """The files of the kernel have the expected form."""
    devices = Path("/sys/bus/pci/devices")
    expected = GpuInventory if devices.is_dir() else CheckFailure
    assert isinstance(asyncio.run(SysfsGpus(devices).list_gpus()), expected)


class TestSysfsGpus(GpuSourceContract):
    """Two cards."""

    deadline = 1.0

    @pytest.fixture(autouse=True)
    def _cards(self, tmp_path: Path) -> None:
        self.devices = tmp_path
        plug(tmp_path, "0000:3b:00.0", H200)
        plug(tmp_path, "0000:9b:00.0", H200, enable=1)

    def source(self) -> GpuSource:
        """Return a source of the folder."""
        return SysfsGpus(self.devices)


class TestSysfsGpusWithoutFolder(GpuSourceContract):
    """The folder does not exist."""

    deadline = 1.0

    def source(self) -> GpuSource:
        """Return a source of a missing folder."""
        return SysfsGpus(Path("/nowhere/devices"))


class TestVolumeFolder(GpuSourceContract):
    """Two volumes."""

    deadline = 1.0

    @pytest.fixture(autouse=True)
    def _volumes(self, tmp_path: Path) -> None:
        self.root = tmp_path
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()

    def source(self) -> GpuSource:
        """Return a source of the folder."""
        return VolumeFolder(self.root)


def test_volume_folder_lists_its_volumes(tmp_path: Path) -> None:
    """No volume is an empty inventory; no folder is a failure."""
    source = VolumeFolder(tmp_path / "volumes")
    assert isinstance(asyncio.run(source.list_gpus()), CheckFailure)
    (tmp_path / "volumes").mkdir()
    empty = asyncio.run(source.list_gpus())
    (tmp_path / "volumes" / "a").mkdir()
    one = asyncio.run(source.list_gpus())
    for result in (empty, one):
        check_result(result)
        assert isinstance(result, Inventory)
    assert isinstance(empty, Inventory)
    assert isinstance(one, Inventory)
    assert (empty.is_empty, one.is_empty) == (True, False)
    assert one.summary == "1 volumes"
