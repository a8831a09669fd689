"""What the command line may hold, and what is said of one that cannot be understood.

A value may be a token, and it may stand anywhere: after an option that is mistyped, in the place of
a command. So what is said repeats names of options, and never a value.
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from dstack_backend import __version__
from dstack_backend.app.config.settings import SETTINGS

__all__ = ["CommandLineError", "parse_args"]

# A token that begins with a dash hardly looks like this.
_NAME = re.compile(r"--[a-z][a-z_-]*|-[a-z]")


class CommandLineError(Exception):
    """A command line that cannot be understood. Its text is one line, without any value."""


def parse_args(arguments: Sequence[str]) -> dict[str, str]:
    """Give the options by their names, and the command as `command` if there is one.

    Raises:
        CommandLineError: It cannot be understood.
    """
    try:
        options, rest = _parser().parse_known_args(arguments)
    except _NoSuchCommandError as exc:
        known = {*(each.option for each in SETTINGS), "-h", "--help", "--version"}
        names = [name for name in _names(arguments) if name not in known]
        before = f"; and before a command no option {', '.join(names)}" if names else ""
        raise CommandLineError(f"{exc}{before}") from None
    if rest:
        names = _names(rest)
        told = f"no such option: {', '.join(names)}" if names else "a value without its option"
        raise CommandLineError(told)
    return {name: value for name, value in vars(options).items() if value is not None}


class _NoSuchCommandError(CommandLineError):
    pass


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        """Take no option for another: a mistyped one must not pass for a shorter one."""
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say it without the value that argparse repeats."""
        subject, _, fault = message.partition(": ")
        if fault.startswith("invalid choice"):
            raise _NoSuchCommandError(f"no such command, only {', '.join(_TEXTS)}") from None
        told = next((ours for theirs, ours in _FAULTS.items() if fault.startswith(theirs)), None)
        raise CommandLineError(
            f"{subject}: {told}" if told else "it cannot be understood"
        ) from None


def _names(arguments: Iterable[str]) -> list[str]:
    names = (each.partition("=")[0] for each in arguments)
    return list(dict.fromkeys(name for name in names if _NAME.fullmatch(name)))


def _parser() -> argparse.ArgumentParser:
    settings = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = settings.add_argument_group("settings", "each is also an environment variable")
    for setting in SETTINGS:
        default = f"default: {setting.default}" if setting.default else "default: none"
        group.add_argument(
            setting.option,
            dest=setting.variable,
            metavar=setting.variable,
            help=f"{setting.text} ({default})",
        )
    parser = _Parser(
        prog="dstack-backend",
        usage="%(prog)s [OPTIONS] [COMMAND]",
        parents=[settings],
        description="Health backend of a DePHY GPU node: asks DStack which GPUs it has and answers "
        "dephy-worker on /health. Without a command it serves.",
        epilog="A bad setting ends the start with exit code 2 and a line that says what is wrong.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, text in _TEXTS.items():
        command = commands.add_parser(
            name,
            usage=f"dstack-backend {name} [OPTIONS]",
            parents=[_simulation() if name == "simulate" else settings],
            help=text,
            description=text[0].upper() + text[1:] + ".",
            argument_default=argparse.SUPPRESS,
        )
        if name in _JSON:
            command.add_argument("--json", dest="json", action="store_true", help=_JSON[name])
        if name == "history":
            _add_history_options(command)
    return parser


def _add_history_options(command: argparse.ArgumentParser) -> None:
    for name, (shown, text) in _HISTORY.items():
        command.add_argument(f"--{name}", dest=name, metavar=shown, help=text)


def _simulation() -> _Parser:
    options = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = options.add_argument_group("the simulated DStack")
    for name, (shown, text) in _SIMULATION.items():
        group.add_argument(f"--{name}", dest=name, metavar=shown, help=text)
    text = "print the name of each fault with the reason that a check ends with"
    group.add_argument("--list-faults", dest="list-faults", action="store_true", help=text)
    return options


_TEXTS = {
    "serve": "serve; what happens without a command",
    "check": "check once, print the BackendInfo; exit 0 available, 1 unavailable",
    "identity": "print public keys and node type, for registration; exit codes are those of check",
    "doctor": "look for what is wrong, step by step, and say what to do; exit 1 if a step failed",
    "history": "print the latest changes and the uptime; exit 1 if there is no history",
    "demo": "serve against a simulated DStack with eight H200s that come and go",
    "simulate": "be a DStack for tests: any number of GPUs, any fault, by a script if you like",
    "healthcheck": "ask the running service's /livez; exit 0 if it answers, else 1",
}
_JSON = {
    "identity": "print one JSON object",
    "doctor": "print one JSON object, for tickets; it holds no token and no password",
    "history": "print one JSON object",
}
_FAULTS = {
    "expected one argument": "it needs a value",
    "ignored explicit argument": "it takes no value",
}
_HISTORY = {
    "limit": ("N", "how many changes at most (default: 20)"),
    "since": ("TIME", "only changes from then on, ISO 8601; without a zone it is UTC"),
    "until": ("TIME", "only changes before"),
}
_SIMULATION = {
    "listen": (
        "ADDRESS",
        "host:port or unix:/path; port 0 is a free one (default: 127.0.0.1:19060)",
    ),
    "gpus": ("N", "how many GPUs there are (default: 8)"),
    "free": ("N", "how many of them are free (default: all)"),
    "product-id": ("ID", "vendor and device of each GPU (default: 10de:2335, an H200)"),
    "token": ("TEXT", "bearer token to ask for (default: everybody is let in)"),
    "latency": ("SECONDS", "how long an answer takes (default: 0)"),
    "fault": ("NAME", "what goes wrong with each request (default: nothing)"),
    "script": (
        "FILE",
        (
            "lines to follow, - for standard input: ok, fault NAME, crash, revive, gpus N, "
            "free N, free all, product-id ID, latency S, token TEXT, wait S, end"
        ),
    ),
}
