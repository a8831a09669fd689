"""Parses the command line. The options of a command may stand before or after its name.

A value may be a token, also where a command is expected or after a mistyped option. So no error
repeats a value: errors are made from the names of options, never from argparse's texts.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NoReturn

from dstack_backend import __version__
from dstack_backend.app.cli.command import Command
from dstack_backend.app.cli.commands import COMMANDS
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.table import SETTINGS
from dstack_backend.app.errors import UserError

__all__ = ["parse_args"]

AddArgument = Callable[..., argparse.Action]

PROGRAM = "dstack-backend"
DESCRIPTION = """Health backend of a DePHY GPU node: asks DStack for its GPUs and answers
dephy-worker on /health. Without a command it serves: see serve --help."""
SHELLS = ("bash", "zsh", "tcsh")
SETTINGS_TITLE = "settings (each is also an environment variable, such as LISTEN_ADDR)"

# A token that begins with a dash hardly looks like this.
_NAME = re.compile(r"--[a-z][a-z_-]*|-[a-z]")

_FLAGS = {"-h/--help", "--version"} | {
    f"--{option.name}"
    for command in COMMANDS.values()
    for option in command.options
    if not option.metavar
}
_COMPLETION = {  # shtab's names for the completion of paths
    "FILE": {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"},
    "DIR": {"bash": "_shtab_compgen_dirs", "zsh": "_files -/", "tcsh": "d"},
}


def parse_args(arguments: Sequence[str]) -> tuple[Command, dict[str, str]]:
    """Return the command, and the options that are given: by variable or by name.

    `--help`, `--version` and `--print-completion` print and end the process.

    Raises:
        UserError: The command line cannot be understood.
    """
    parsed = argparse.Namespace()
    given: dict[str, str] = vars(parsed)
    try:
        _, rest = _parser().parse_known_args(arguments, parsed)
    except argparse.ArgumentError as exc:
        # argparse stores the command before it parses the options of the command.
        known = filter(None, [given.get("command")])
        raise _argument_error(exc.argument_name or "", arguments, *known) from None
    if shell := given.get("print-completion"):
        import shtab  # noqa: PLC0415 - only here

        write_line(shtab.complete(_parser(show_settings=True), shell), is_safe=True)
        sys.exit(0)
    command = COMMANDS[given.pop("command", "") or "serve"]
    if command.argument:
        values = [*vars(parsed).pop("values", ()), *(each for each in rest if each[:1] != "-")]
        rest = [each for each in rest if each[:1] == "-"]
        if values:
            given[command.argument.name] = "\n".join(values)
    used = {each.variable for each in command.settings}
    unused = [each.option for each in SETTINGS if each.variable in given.keys() - used]
    if names := [*unused, *_names(rest)]:
        raise _error(", ".join(names), f"{command.name} has no such option", command.name)
    if rest:
        raise _error(command.name, "a value without its option", command.name)
    return command, given


class _Parser(argparse.ArgumentParser):
    """A parser that raises, and that takes no option for a longer one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **options,
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=28),
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            exit_on_error=False,
        )

    def error(self, message: str) -> NoReturn:  # noqa: ARG002 - it may repeat a value
        """Raise without argparse's message."""
        raise _error(PROGRAM, "the command line cannot be understood")

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002
        """Print help or version. argparse's own method ignores that this fails."""
        write_line(message.removesuffix("\n"), is_safe=True)


def _parser(*, show_settings: bool = False) -> _Parser:
    """Return the parser. `--help` does not show the settings that stand before a command."""
    parser = _Parser(
        prog=PROGRAM,
        usage="%(prog)s [COMMAND] [OPTIONS]",
        description=DESCRIPTION,
        epilog=f"example:\n  {PROGRAM} check --help",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--print-completion",
        dest="print-completion",
        choices=SHELLS,
        metavar="SHELL",
        help=f"print the completion script for a shell: {', '.join(SHELLS)}",
    )
    _add_settings(parser.add_argument, COMMANDS["serve"], are_shown=show_settings)
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog=PROGRAM
    )
    for command in COMMANDS.values():
        argument = command.argument
        summary = command.summary[0].upper() + command.summary[1:]
        command_parser = commands.add_parser(
            command.name,
            usage="%(prog)s [OPTIONS]" + (f" [{argument.metavar} ...]" if argument else ""),
            help=command.summary,
            description=f"{summary}.\n{command.details}",
            epilog=f"example:\n  {PROGRAM} {command.name} {command.example}",
        )
        if argument:
            command_parser.add_argument(
                "values", nargs="*", metavar=argument.metavar, help=argument.help
            )
        for name, metavar, text in command.options:
            _add(command_parser.add_argument, f"--{name}", name, metavar, text)
        group = command_parser.add_argument_group(SETTINGS_TITLE)
        _add_settings(group.add_argument, command)
    return parser


def _add_settings(add: AddArgument, command: Command, *, are_shown: bool = True) -> None:
    for setting in command.settings:
        default = command.defaults.get(setting.variable, setting.default)
        text = setting.help.replace("`", "") + (f" (default: {default})" if default else "")
        shown = text if are_shown else argparse.SUPPRESS
        _add(add, setting.option, setting.variable, setting.metavar, shown)


def _add(add: AddArgument, flag: str, dest: str, metavar: str, text: str) -> None:
    if not metavar:
        add(flag, dest=dest, action="store_true", help=text)
        return
    action = add(flag, dest=dest, metavar=metavar, help=text)
    if metavar in _COMPLETION:
        action.complete = _COMPLETION[metavar]  # type: ignore[attr-defined]  # shtab reads it


def _argument_error(name: str, arguments: Sequence[str], *command: str) -> UserError:
    """Return the error for the argument that argparse could not parse."""
    if name == "--print-completion":
        return _error(name, f"needs one of {', '.join(SHELLS)}")
    if name != "COMMAND":
        return _error(name, "takes no value" if name in _FLAGS else "needs a value", *command)
    known = {*(each.option for each in SETTINGS), "-h", "--help", "--version"}
    unknown = [each for each in _names(arguments) if each not in known]
    hint = f" (and no option {', '.join(unknown)} before a command)" if unknown else ""
    return _error("no such command", f"the commands are {', '.join(COMMANDS)}{hint}")


def _error(subject: str, fault: str, *command: str) -> UserError:
    return UserError(subject, f"{fault}; see {' '.join((PROGRAM, *command, '--help'))}")


def _names(arguments: Iterable[str]) -> list[str]:
    names = (each.partition("=")[0] for each in arguments)
    return list(dict.fromkeys(name for name in names if _NAME.fullmatch(name)))
