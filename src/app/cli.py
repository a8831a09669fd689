"""The command line. Each command imports what it needs: `healthcheck` runs every few seconds."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from dstack_backend import __version__
from dstack_backend.adapters.stdlib_logging import place
from dstack_backend.app.settings import SETTINGS, SettingError, load, load_listen

__all__ = ["main", "program"]

AVAILABLE, UNAVAILABLE, BAD_SETTING, UNEXPECTED = 0, 1, 2, 70


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one line; argparse would print the usage before it."""
        self.exit(BAD_SETTING, f"dstack-backend: {message}; see dstack-backend --help\n")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process.

    Exit codes: 0 well, 1 unavailable or not alive, 2 a bad setting or command line, 70 an error of
    ours (EX_SOFTWARE of sysexits.h).
    """
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command", None) or "serve"
    try:
        code = _COMMANDS[command](options)
    except SettingError as exc:
        print(f"dstack-backend: {exc}", file=sys.stderr)  # noqa: T201
        code = BAD_SETTING
    except KeyboardInterrupt:
        code = 0
    except Exception as exc:  # noqa: BLE001 - a person gets a line, not a traceback
        print(f"dstack-backend: unexpected error, please report it: {place(exc)}", file=sys.stderr)  # noqa: T201
        code = UNEXPECTED
    sys.exit(code)


def program() -> NoReturn:
    """Be the program: `main`, ended without waiting for a thread in which a look-up hangs."""
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # whoever read it has gone
                stream.flush()
        os._exit(code)


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
            parents=[_simulation() if name == "simulate" else settings],
            help=text,
            description=text[0].upper() + text[1:] + ".",
            argument_default=argparse.SUPPRESS,
        )
        if name == "doctor":
            shown = "print one JSON object, for tickets; it holds no token and no password"
            command.add_argument("--json", dest="json", action="store_true", help=shown)
        if name == "identity":
            shown = "print one JSON object"
            command.add_argument("--json", dest="json", action="store_true", help=shown)
        if name == "history":
            _add_history_options(command)
    return parser


def _add_history_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", dest="json", action="store_true", help="print one JSON object")
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


def _end_at_once_on_sigterm() -> None:
    """Until the service's own handler is there: the first process of a container has none."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))


def _serve(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    settings = load(os.environ, options)
    from dstack_backend.app.serve import run  # noqa: PLC0415

    run(settings)


def _check(options: dict[str, str]) -> int:
    settings = load(os.environ, options)
    from dstack_backend.adapters.stdlib_logging import set_up_logging  # noqa: PLC0415
    from dstack_backend.app.container import Container  # noqa: PLC0415
    from dstack_backend.app.until_signal import once  # noqa: PLC0415
    from dstack_backend.domain.backend_info import answer_with  # noqa: PLC0415
    from dstack_backend.domain.status import assess  # noqa: PLC0415

    set_up_logging(settings.log_level, settings.log_format)
    container = Container(settings=settings)
    result = once(container.dstack().list_gpus())
    answer = answer_with(assess(result), container.identity())
    print(answer.body.decode())  # noqa: T201
    return AVAILABLE if answer.available else UNAVAILABLE


def _identity(options: dict[str, str]) -> int:
    settings = load(os.environ, options)
    from dstack_backend.adapters.stdlib_logging import set_up_logging  # noqa: PLC0415
    from dstack_backend.app.container import Container  # noqa: PLC0415
    from dstack_backend.app.identity import as_json, as_text, report_identity  # noqa: PLC0415
    from dstack_backend.app.until_signal import once  # noqa: PLC0415
    from dstack_backend.domain.inventory import GpuInventory  # noqa: PLC0415

    set_up_logging(settings.log_level, settings.log_format)
    container = Container(settings=settings)
    identity = container.identity()  # a key file that cannot be used is told before DStack is asked
    result = once(container.dstack().list_gpus())
    report = report_identity(identity, result)
    print(as_json(report) if "json" in options else as_text(report))  # noqa: T201
    return AVAILABLE if isinstance(result, GpuInventory) else UNAVAILABLE


def _doctor(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    from dstack_backend.app.doctor import run  # noqa: PLC0415

    run(os.environ, options, json="json" in options)


def _history(options: dict[str, str]) -> int:
    from dstack_backend.app.history import HistoryOptionError, run  # noqa: PLC0415

    try:
        return run(os.environ, options)
    except HistoryOptionError as exc:
        print(f"dstack-backend: {exc}", file=sys.stderr)  # noqa: T201
        return BAD_SETTING


def _demo(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    from dstack_backend.app.demo import run  # noqa: PLC0415

    run(os.environ, options)


def _simulate(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    from dstack_backend.app.simulate import OptionError, run  # noqa: PLC0415

    try:
        run(options)
    except OptionError as exc:
        print(f"dstack-backend: {exc}", file=sys.stderr)  # noqa: T201
        return BAD_SETTING


def _healthcheck(options: dict[str, str]) -> int:
    from dstack_backend.app.healthcheck import is_alive  # noqa: PLC0415

    listen = load_listen(os.environ, options)
    if is_alive(listen):
        return 0
    print(f"dstack-backend: no answer from /livez on {listen}", file=sys.stderr)  # noqa: T201
    return 1


_COMMANDS = {
    "serve": _serve,
    "check": _check,
    "identity": _identity,
    "doctor": _doctor,
    "history": _history,
    "demo": _demo,
    "simulate": _simulate,
    "healthcheck": _healthcheck,
}
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
