"""A command as a value: its name, its options, and the function that runs it.

These are named tuples: msgspec takes 50 ms to import, and the health check does without it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dstack_backend.app.config.table import Setting

__all__ = ["JSON", "Command", "Option"]


class Option(NamedTuple):
    """An option that is not a setting. Its metavar is empty where it takes no value."""

    name: str
    metavar: str
    help: str


class Command(NamedTuple):
    """One command.

    Attributes:
        run: Runs it with the environment and the options, and returns the exit code. The options
            have the variable of a setting or the name of an option as their key.
        defaults: Defaults of its own, by variable.
        argument: What may stand on the line without an option, any number of times. In the options
            its name has the values, one per line.
        details: The rest of the description in `--help`.
        runs_until_signal: Whether Ctrl-C is its normal end.
    """

    name: str
    summary: str
    run: Callable[[Mapping[str, str], Mapping[str, str]], int]
    example: str
    settings: tuple[Setting[Any], ...] = ()
    defaults: Mapping[str, str] = {}
    options: tuple[Option, ...] = ()
    argument: Option | None = None
    details: str = ""
    runs_until_signal: bool = False


JSON = Option("json", "", "print one JSON object")
