"""A simulated node, and the lines of a script that change it.

The commands are `ok`, `fault NAME`, `crash`, `revive`, `gpus N`, `free N` or `free all`,
`product-id ID`, `latency SECONDS`, `token TEXT` (`token` alone: none), `wait SECONDS`, and `end`.
"""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable
from typing import Any

from dstack_backend.app.config.parsers import parse_count, parse_seconds, quote
from dstack_backend.domain.gpu import Gpu, model_of
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Behaviour, SimulatedDStack

__all__ = ["SimulatedNode", "expected_results", "parse_line"]

MAX_GPUS = 10_000

_VENDORS = {"10de": "NVIDIA Corporation", "1002": "Advanced Micro Devices, Inc. [AMD/ATI]"}
"""The description of a card that the PCI id list does not contain; empty for other vendors."""

_BEHAVIOURS: dict[str, Behaviour] = {
    **{name: fault.behaviour for name, fault in FAULTS.items()},
    **HOSTILE_ANSWERS,
}


class SimulatedNode:
    """A simulated DStack that starts with eight free H200s. `ended` is set at the script's end."""

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
    vendor = _VENDORS.get(product_id[:4], "")
    model = model_of(product_id, vendor)
    return Gpu(
        slot=f"{domain:04x}:{bus:02x}:00.0",
        product_id=product_id,
        description=f"{vendor} [{model}]" if model else vendor,
        is_free=is_free,
    )


def expected_results() -> dict[str, str]:
    """Return the reason that a check ends with for each fault; `available` for valid answers."""
    faults = {name: str(fault.reason) for name, fault in FAULTS.items()}
    return faults | dict.fromkeys(HOSTILE_ANSWERS, "available")


def parse_line(line: str) -> Callable[[SimulatedNode], Awaitable[None] | None] | None:
    """Parse one line; `None` for an empty one and for a comment (`# ...`).

    The returned command raises `ValueError` or `OSError` where it is not possible now.

    Raises:
        ValueError: It is not a command. The message is one line.
    """
    verb, _, argument = line.strip().partition(" ")
    if not verb or verb.startswith("#"):
        return None
    if verb not in _COMMANDS:
        raise ValueError(f"not a command; the commands are {', '.join(_COMMANDS)}")
    parse_argument, change = _COMMANDS[verb]
    value = parse_argument(argument.strip())
    return lambda node: change(node, value)


def _no_argument(text: str) -> None:
    if text:
        raise ValueError(f"{quote(text)} is too much; the command has no argument")


def _parse_fault(name: str) -> Behaviour:
    if name in _BEHAVIOURS:
        return _BEHAVIOURS[name]
    if not name:
        raise ValueError("the name of a fault is missing; --list-faults lists all")
    similar = [each for each in _BEHAVIOURS if each.startswith(name)]
    similar = similar or difflib.get_close_matches(name, _BEHAVIOURS)
    hint = f"did you mean {' or '.join(similar[:3])}? " if similar else ""
    raise ValueError(f"{quote(name)} is not a fault; {hint}--list-faults lists all")


_parse_count = parse_count(0, MAX_GPUS)


def _parse_product_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}", text):
        raise ValueError(f"{quote(text)} is not vendor:device in hexadecimal, such as 10de:2335")
    return text.lower()


def _set(attribute: str) -> Callable[[SimulatedNode, Any], None]:
    """Return what sets an attribute of the simulated DStack."""
    return lambda node, value: setattr(node.dstack, attribute, value)


_COMMANDS: dict[
    str,
    tuple[Callable[[str], Any], Callable[[SimulatedNode, Any], Awaitable[None] | None]],
] = {
    "ok": (_no_argument, _set("behaviour")),
    "fault": (_parse_fault, _set("behaviour")),
    "crash": (_no_argument, lambda node, _: node.crash()),
    "revive": (_no_argument, lambda node, _: node.revive()),
    "gpus": (_parse_count, SimulatedNode.set_gpu_count),
    "free": (
        lambda text: None if text == "all" else _parse_count(text),
        SimulatedNode.set_free_count,
    ),
    "product-id": (_parse_product_id, SimulatedNode.set_product_id),
    "latency": (parse_seconds(0), _set("latency")),
    "token": (lambda text: text or None, _set("token")),
    "wait": (parse_seconds(0), lambda _, seconds: asyncio.sleep(seconds)),
    "end": (_no_argument, lambda node, _: node.ended.set()),
}
"""By name: the parser of the argument, and what runs the command with its value."""
