"""The GPUs of a simulated node; what changes them is in `test_script.py`."""

import asyncio
import re

import pytest

from dstack_backend.app.simulate.node import MAX_GPUS, MAX_NVSWITCHES, SimulatedNode
from dstack_backend.testing.simulated_dstack import EIGHT_H200, SimulatedDStack


@pytest.fixture
def node() -> SimulatedNode:
    """A node that does not listen."""
    return SimulatedNode(SimulatedDStack(), asyncio.Event())


def test_eight_gpus_have_the_slots_of_an_hgx_board(node: SimulatedNode) -> None:
    """All of them are free."""
    slots = [gpu.slot for gpu in node.dstack.gpus]
    assert slots == [gpu.slot for gpu in EIGHT_H200]
    assert all(gpu.is_free for gpu in node.dstack.gpus)


def test_each_device_has_its_own_slot_of_one_pci_domain(node: SimulatedNode) -> None:
    """As lspci prints it: bus, device up to 1f and function up to 7."""
    node.set_gpu_count(MAX_GPUS)
    node.set_nvswitch_count(MAX_NVSWITCHES)
    slots = {gpu.slot for gpu in node.dstack.gpus}
    assert len(slots) == MAX_GPUS + MAX_NVSWITCHES
    assert all(re.fullmatch(r"[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", slot) for slot in slots)
