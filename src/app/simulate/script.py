"""The lines of a script that change a simulated node.

The commands are `ok`, `fault NAME`, `crash`, `revive`, `gpus N`, `free N` or `free all`,
`product-id ID`, `nvswitches N`, `lose SLOT`, `return SLOT`, `replace SLOT ID`, `allocate SLOT`,
`release SLOT`, `latency SECONDS`, `token TEXT` (`token` alone: none), `wait SECONDS`, and `end`.
"""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable
from typing import Any

from dstack_backend.app.config.parsers import parse_count, parse_seconds, quote
from dstack_backend.app.simulate.node import MAX_GPUS, MAX_NVSWITCHES, SimulatedNode
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Behaviour

__all__ = ["expected_results", "parse_line"]

_BEHAVIOURS: dict[str, Behaviour] = {
    **{name: fault.behaviour for name, fault in FAULTS.items()},
    **HOSTILE_ANSWERS,
}


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


def _parse_slot(text: str) -> str:
    if not text or len(text.split()) > 1:
        raise ValueError(f"{quote(text)} is not a slot such as 3b:00.0, or a number from 0")
    return text


def _parse_replacement(text: str) -> tuple[str, str]:
    slot, _, product_id = text.partition(" ")
    return _parse_slot(slot), _parse_product_id(product_id.strip())


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
    "nvswitches": (parse_count(0, MAX_NVSWITCHES), SimulatedNode.set_nvswitch_count),
    "lose": (_parse_slot, SimulatedNode.lose),
    "return": (_parse_slot, SimulatedNode.give_back),
    "replace": (_parse_replacement, lambda node, value: node.replace(*value)),
    "allocate": (_parse_slot, lambda node, slot: node.set_free(slot, is_free=False)),
    "release": (_parse_slot, lambda node, slot: node.set_free(slot, is_free=True)),
    "latency": (parse_seconds(0), _set("latency")),
    "token": (lambda text: text or None, _set("token")),
    "wait": (parse_seconds(0), lambda _, seconds: asyncio.sleep(seconds)),
    "end": (_no_argument, lambda node, _: node.ended.set()),
}
"""By name: the parser of the argument, and what runs the command with its value."""
