"""A simulated node, whose GPUs and answers the lines of a script change."""

import asyncio
import re

from msgspec.structs import replace

from dstack_backend.app.config.parsers import quote
from dstack_backend.domain.gpu import Gpu, model_of
from dstack_backend.testing.simulated_dstack import EIGHT_H200, SimulatedDStack

__all__ = ["MAX_GPUS", "MAX_NVSWITCHES", "SimulatedNode"]

MAX_GPUS, MAX_NVSWITCHES = 10_000, 16
MAX_NAMED = 16
"""Slots that an error names."""

_VENDORS = {"10de": "NVIDIA Corporation", "1002": "Advanced Micro Devices, Inc. [AMD/ATI]"}
"""The description of a card that the PCI id list does not contain; empty for other vendors."""

_HGX = [gpu.slot[:2] for gpu in EIGHT_H200]
_BUSES = _HGX + [bus for each in range(0x17, 0x100) if (bus := f"{each:02x}") not in _HGX]
"""The buses of the GPUs, in one PCI domain. The NVSwitches are on those before."""

_NVSWITCHES = [
    Gpu(
        slot=f"{bus:02x}:00.0",
        product_id="10de:22a3",
        description="NVIDIA Corporation GH100 [H100 NVSwitch]",
        is_free=True,
    )
    for bus in range(0x07, 0x07 + MAX_NVSWITCHES)
]


class SimulatedNode:
    """A simulated DStack that starts with eight free H200s. `ended` is set at the script's end.

    What is done to single GPUs holds until the number, the free ones or the product id are set.
    """

    def __init__(self, dstack: SimulatedDStack, ended: asyncio.Event) -> None:
        self.dstack = dstack
        self.ended = ended
        self._product_id = "10de:2335"
        self._count = 8
        self._free: int | None = None
        self._nvswitches = 0
        self._is_crashed = False
        self._gpus: list[Gpu] = []
        self._lost: set[int] = set()
        self._update_gpus()

    def set_gpu_count(self, count: int) -> None:
        """Set the number of GPUs."""
        self._count = count
        self._free = None if self._free is None else min(self._free, count)
        self._update_gpus()

    def set_free_count(self, count: int | None) -> None:
        """Set how many of the GPUs are free, the last ones; `None`: all.

        Raises:
            ValueError: There are fewer GPUs.
        """
        if count is not None and count > self._count:
            raise ValueError(f"there are {self._count} GPUs, so {count} cannot be free")
        self._free = count
        self._update_gpus()

    def set_product_id(self, product_id: str) -> None:
        """Set the vendor and device of all GPUs."""
        self._product_id = product_id
        self._update_gpus()

    def set_nvswitch_count(self, count: int) -> None:
        """Set how many NVSwitches are listed before the GPUs."""
        self._nvswitches = count
        self._list()

    def lose(self, slot: str) -> None:
        """List a GPU no longer. As each method with a slot, this raises `ValueError`.

        Args:
            slot: The slot, with or without the PCI domain `0000`, or the GPU's number from 0.

        Raises:
            ValueError: There is no such GPU.
        """
        self._lost.add(self._find(slot))
        self._list()

    def give_back(self, slot: str) -> None:
        """List a lost GPU again."""
        self._lost.discard(self._find(slot))
        self._list()

    def replace(self, slot: str, product_id: str) -> None:
        """List another GPU in a slot, also in that of a lost one."""
        index = self._find(slot)
        self._lost.discard(index)
        self._gpus[index] = _gpu(product_id, index, is_free=True)
        self._list()

    def set_free(self, slot: str, is_free: bool) -> None:  # noqa: FBT001 - the value
        """Set whether a GPU is free."""
        index = self._find(slot)
        self._gpus[index] = replace(self._gpus[index], is_free=is_free)
        self._list()

    async def crash(self) -> None:
        """Stop listening and cut all connections."""
        self._is_crashed = True
        await self.dstack.crash()

    async def revive(self) -> None:
        """Listen again at the same address after a crash.

        Raises:
            OSError: The address was taken in the meantime.
        """
        if self._is_crashed:
            await self.dstack.revive()
            self._is_crashed = False

    def _update_gpus(self) -> None:
        used = 0 if self._free is None else self._count - self._free
        self._gpus = [_gpu(self._product_id, n, is_free=n >= used) for n in range(self._count)]
        self._lost.clear()
        self._list()

    def _list(self) -> None:
        gpus = [gpu for n, gpu in enumerate(self._gpus) if n not in self._lost]
        self.dstack.gpus = _NVSWITCHES[: self._nvswitches] + gpus

    def _find(self, text: str) -> int:
        slots = [gpu.slot for gpu in self._gpus]
        slot = text.lower().removeprefix("0000:")
        if slot in slots:
            return slots.index(slot)
        if re.fullmatch(r"[0-9]{1,5}", text) and int(text) < len(slots):
            return int(text)
        named = ", ".join(slots[:MAX_NAMED]) or "none"
        more = f" and {len(slots) - MAX_NAMED} more" if len(slots) > MAX_NAMED else ""
        raise ValueError(f"no GPU has the slot {quote(text)}; the slots are {named}{more}")


def _gpu(product_id: str, number: int, *, is_free: bool) -> Gpu:
    rest, bus = divmod(number, len(_BUSES))
    function, device = divmod(rest, 32)
    vendor = _VENDORS.get(product_id[:4], "")
    model = model_of(product_id, vendor)
    return Gpu(
        slot=f"{_BUSES[bus]}:{device:02x}.{function}",
        product_id=product_id,
        description=f"{vendor} [{model}]" if model else vendor,
        is_free=is_free,
    )
