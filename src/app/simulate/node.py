"""A simulated DStack with the state that a script changes."""

import asyncio

from msgspec.structs import replace

from dstack_backend.domain.gpu import Gpu
from dstack_backend.testing.simulated_dstack import Behaviour, SimulatedDStack

__all__ = ["SimulatedNode"]


class SimulatedNode:
    """A simulated DStack that starts with eight free H200s.

    Attributes:
        dstack: The simulated DStack.
        ended: Set when the simulation has to end.
    """

    def __init__(self, dstack: SimulatedDStack, ended: asyncio.Event) -> None:
        self.dstack = dstack
        self.ended = ended
        self._product_id = "10de:2335"
        self._count = 8
        self._free: int | None = None
        self._is_crashed = False
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

    def set_token(self, token: str) -> None:
        """Require a bearer token; an empty one: none."""
        self.dstack.token = token or None

    def set_latency(self, seconds: float) -> None:
        """Delay each answer."""
        self.dstack.latency = seconds

    def set_behaviour(self, behaviour: Behaviour | None) -> None:
        """Set what happens to each request; `None`: a good answer."""
        self.dstack.behaviour = behaviour

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
        self.dstack.gpus = [
            _gpu(self._product_id, n, is_free=n >= used) for n in range(self._count)
        ]


def _gpu(product_id: str, number: int, *, is_free: bool) -> Gpu:
    domain, bus = divmod(number, 256)
    vendor = "NVIDIA Corporation" if product_id.startswith("10de:") else "Unknown vendor"
    slot = f"{domain:04x}:{bus:02x}:00.0"
    gpu = Gpu(slot=slot, product_id=product_id, description=vendor, is_free=is_free)
    return replace(gpu, description=f"{vendor} [{gpu.model}]") if gpu.model else gpu
