"""The lines of a script, each a direction for the simulated DStack.

| line            | from then on                                                                  |
|-----------------|-------------------------------------------------------------------------------|
| `ok`            | it answers as a DStack in good health                                         |
| `fault NAME`    | it does to each request what the fault of this name does                      |
| `crash`         | it is gone: nobody listens, all connections are cut                           |
| `revive`        | it listens again where it did                                                 |
| `gpus N`        | it has so many GPUs                                                           |
| `free N`        | the last so many of them are free; `free all`                                 |
| `product-id ID` | they are of this kind                                                         |
| `latency S`     | an answer takes so many seconds                                               |
| `token TEXT`    | it asks for this bearer token; `token` alone lets everybody in                |
| `wait S`        | the next line is followed so many seconds later                               |
| `end`           | the simulation ends                                                           |
"""

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dstack_backend.app.simulate.node import SimulatedNode
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Behaviour

__all__ = ["ScriptCommand", "expected_results", "parse", "shown"]

T = TypeVar("T")

MOST_GPUS = 10_000
LONGEST = 86_400.0

ScriptCommand = Callable[[SimulatedNode], Awaitable[None]]
"""Follows one line. It raises `ValueError` or `OSError` where that is not possible now."""

_BEHAVIOURS: dict[str, Behaviour] = {
    **{name: fault.behaviour for name, fault in FAULTS.items()},
    **HOSTILE_ANSWERS,
}


def expected_results() -> dict[str, str]:
    """Give the names of all faults, each with the reason that a check must end with.

    Answers that are inventories, whatever they make a careless reader do, are `available`.
    """
    faults = {name: str(fault.reason) for name, fault in FAULTS.items()}
    return faults | dict.fromkeys(HOSTILE_ANSWERS, "available")


def parse(line: str) -> ScriptCommand | None:
    """Read one line; `None` for an empty one and for a comment (`# ...`).

    Raises:
        ValueError: It is no direction. The message says why in one line.
    """
    verb, _, argument = line.strip().partition(" ")
    if not verb or verb.startswith("#"):
        return None
    if verb not in _VERBS:
        raise ValueError(f"it begins with none of {', '.join(_VERBS)}")
    return _VERBS[verb](argument.strip())


def shown(text: str) -> str:
    """Give a text of whoever wrote it as a person can read it: printable, on one line, short."""
    return ascii(text.strip()[:40])


def _at_once(change: Callable[[SimulatedNode], None]) -> ScriptCommand:
    async def direction(node: SimulatedNode) -> None:
        change(node)
        await asyncio.sleep(0)

    return direction


def _alone(direction: ScriptCommand) -> Callable[[str], ScriptCommand]:
    def read(argument: str) -> ScriptCommand:
        if argument:
            raise ValueError(f"{shown(argument)} follows where nothing may")
        return direction

    return read


def _with(
    read: Callable[[str], T], change: Callable[[SimulatedNode, T], None]
) -> Callable[[str], ScriptCommand]:
    def read_whole(argument: str) -> ScriptCommand:
        value = read(argument)
        return _at_once(lambda node: change(node, value))

    return read_whole


def _behaviour(name: str) -> Behaviour:
    if not name:
        raise ValueError("it names no fault; --list-faults lists all")
    if name not in _BEHAVIOURS:
        near = [each for each in _BEHAVIOURS if each.startswith(name)]
        near = near or difflib.get_close_matches(name, _BEHAVIOURS)
        hint = f"perhaps {' or '.join(near[:3])}; " if near else ""
        raise ValueError(f"no fault is called {shown(name)}; {hint}--list-faults lists all")
    return _BEHAVIOURS[name]


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > MOST_GPUS:
        raise ValueError(f"{shown(text)} is not a whole number from 0 to {MOST_GPUS}")
    return int(text)


def _count_or_all(text: str) -> int | None:
    return None if text == "all" else _count(text)


def _product_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}", text):
        raise ValueError(f"{shown(text)} is not vendor:device in hexadecimal, such as 10de:2335")
    return text.lower()


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}", text) or float(text) > LONGEST:
        raise ValueError(f"{shown(text)} is not a number of seconds, such as 0.4")
    return float(text)


def _token(text: str) -> str | None:
    return text or None


def _wait(text: str) -> ScriptCommand:
    seconds = _seconds(text)
    return lambda _: asyncio.sleep(seconds)


_VERBS: dict[str, Callable[[str], ScriptCommand]] = {
    "ok": _alone(_at_once(lambda node: node.behave(None))),
    "fault": _with(_behaviour, SimulatedNode.behave),
    "crash": _alone(SimulatedNode.crash),
    "revive": _alone(SimulatedNode.revive),
    "gpus": _with(_count, SimulatedNode.set_gpu_count),
    "free": _with(_count_or_all, SimulatedNode.free),
    "product-id": _with(_product_id, SimulatedNode.set_product_id),
    "latency": _with(_seconds, SimulatedNode.set_latency),
    "token": _with(_token, SimulatedNode.set_token),
    "wait": _wait,
    "end": _alone(_at_once(SimulatedNode.end)),
}
