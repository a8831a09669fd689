"""The lines of a script. Each is a command that changes the simulated DStack.

The commands are `ok`, `fault NAME`, `crash`, `revive`, `gpus N`, `free N` or `free all`,
`product-id ID`, `latency SECONDS`, `token TEXT` (`token` alone: none), `wait SECONDS`, and `end`.
"""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable
from typing import Any

from dstack_backend.app.config.parsers import quote
from dstack_backend.app.simulate.node import SimulatedNode
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Behaviour

__all__ = ["ScriptCommand", "expected_results", "parse_line"]

MAX_GPUS = 10_000
MAX_SECONDS = 86_400.0

ScriptCommand = Callable[[SimulatedNode], Awaitable[None] | None]
"""Runs one line. It raises `ValueError` or `OSError` where that is not possible now."""

_BEHAVIOURS: dict[str, Behaviour] = {
    **{name: fault.behaviour for name, fault in FAULTS.items()},
    **HOSTILE_ANSWERS,
}


def expected_results() -> dict[str, str]:
    """Return the reason that a check ends with for each fault; `available` for valid answers."""
    faults = {name: str(fault.reason) for name, fault in FAULTS.items()}
    return faults | dict.fromkeys(HOSTILE_ANSWERS, "available")


def parse_line(line: str) -> ScriptCommand | None:
    """Parse one line; `None` for an empty one and for a comment (`# ...`).

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


def _parse_count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > MAX_GPUS:
        raise ValueError(f"{quote(text)} is not a whole number from 0 to {MAX_GPUS}")
    return int(text)


def _parse_count_or_all(text: str) -> int | None:
    return None if text == "all" else _parse_count(text)


def _parse_product_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}", text):
        raise ValueError(f"{quote(text)} is not vendor:device in hexadecimal, such as 10de:2335")
    return text.lower()


def _parse_seconds(text: str) -> float:
    is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}", text)
    if not is_number or float(text) > MAX_SECONDS:
        raise ValueError(f"{quote(text)} is not a number of seconds, such as 0.4")
    return float(text)


_COMMANDS: dict[
    str,
    tuple[Callable[[str], Any], Callable[[SimulatedNode, Any], Awaitable[None] | None]],
] = {
    "ok": (_no_argument, lambda node, _: node.set_behaviour(None)),
    "fault": (_parse_fault, SimulatedNode.set_behaviour),
    "crash": (_no_argument, lambda node, _: node.crash()),
    "revive": (_no_argument, lambda node, _: node.revive()),
    "gpus": (_parse_count, SimulatedNode.set_gpu_count),
    "free": (_parse_count_or_all, SimulatedNode.set_free_count),
    "product-id": (_parse_product_id, SimulatedNode.set_product_id),
    "latency": (_parse_seconds, SimulatedNode.set_latency),
    "token": (str, SimulatedNode.set_token),
    "wait": (_parse_seconds, lambda _, seconds: asyncio.sleep(seconds)),
    "end": (_no_argument, lambda node, _: node.ended.set()),
}
"""By name: the parser of the argument, and what runs the command with its value."""
