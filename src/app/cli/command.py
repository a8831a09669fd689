"""A command as a value: its name, its options, and the module that runs it.

These are named tuples: msgspec takes 50 ms to import, and the health check does without it.
"""

from collections.abc import Mapping
from importlib import import_module
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
        module: The module in `app` whose `run` runs it.
        defaults: Defaults of its own, by variable.
        argument: What may stand on the line without an option, any number of times. In the options
            its name has the values, one per line.
        details: The rest of the description in `--help`.
        runs_until_signal: Whether Ctrl-C is its normal end.
    """

    name: str
    module: str
    summary: str
    example: str
    settings: tuple[Setting[Any], ...] = ()
    defaults: Mapping[str, str] = {}
    options: tuple[Option, ...] = ()
    argument: Option | None = None
    details: str = ""
    runs_until_signal: bool = False

    def run(self, environ: Mapping[str, str], options: Mapping[str, str]) -> int:
        """Run it, and return the exit code.

        Args:
            environ: The environment.
            options: By the variable of a setting, or by the name of an option.
        """
        module = import_module(f"dstack_backend.app.{self.module}")
        return int(module.run(environ, options))


JSON = Option("json", "", "print one JSON object")
