"""A simulated DStack, with what a script can change of it."""

import asyncio

from dstack_backend.domain.gpu import Gpu
from dstack_backend.testing.simulated_dstack import Behaviour, SimulatedDStack

__all__ = ["SimulatedNode"]


class SimulatedNode:
    """A simulated DStack, with eight free H200s until it is told otherwise.

    Attributes:
        dstack: The simulated DStack.
        ended: Is set when the simulation is to end.
    """

    def __init__(self, dstack: SimulatedDStack, ended: asyncio.Event) -> None:
        """Set the GPUs up."""
        self.dstack = dstack
        self.ended = ended
        self._product_id = "10de:2335"
        self._count = 8
        self._free: int | None = None
        self._gone = False
        self._set_up()

    def set_gpu_count(self, count: int) -> None:
        """Let it have so many GPUs."""
        self._count = count
        self._free = None if self._free is None else min(self._free, count)
        self._set_up()

    def free(self, count: int | None) -> None:
        """Let so many of them, the last ones, be free; `None`: all.

        Raises:
            ValueError: There are not so many.
        """
        if count is not None and count > self._count:
            raise ValueError(f"there are {self._count} GPUs, so {count} cannot be free")
        self._free = count
        self._set_up()

    def set_product_id(self, product_id: str) -> None:
        """Let them be of this kind."""
        self._product_id = product_id
        self._set_up()

    def set_token(self, token: str | None) -> None:
        """Let in who shows this token; `None`: everybody."""
        self.dstack.token = token

    def set_latency(self, seconds: float) -> None:
        """Let an answer take so long."""
        self.dstack.latency = seconds

    def behave(self, behaviour: Behaviour | None) -> None:
        """Let it do this to each request; `None`: answer."""
        self.dstack.behaviour = behaviour

    async def crash(self) -> None:
        """Let it be gone: nobody listens, all connections are cut."""
        self._gone = True
        await self.dstack.crash()

    async def revive(self) -> None:
        """Let it listen again where it did, if it was gone.

        Raises:
            OSError: The address was taken in the meantime.
        """
        if self._gone:
            await self.dstack.revive()
            self._gone = False

    def end(self) -> None:
        """End the simulation."""
        self.ended.set()

    def _set_up(self) -> None:
        used = 0 if self._free is None else self._count - self._free
        self.dstack.gpus = [
            _gpu(self._product_id, n, is_free=n >= used) for n in range(self._count)
        ]


def _gpu(product_id: str, number: int, *, is_free: bool) -> Gpu:
    domain, bus = divmod(number, 256)
    vendor = "NVIDIA Corporation" if product_id.startswith("10de:") else "Unknown vendor"
    bare = Gpu(
        slot=f"{domain:04x}:{bus:02x}:00.0",
        product_id=product_id,
        description=vendor,
        is_free=is_free,
    )
    model = bare.model
    return Gpu(
        slot=bare.slot,
        product_id=product_id,
        description=f"{vendor} [{model}]" if model else vendor,
        is_free=is_free,
    )
