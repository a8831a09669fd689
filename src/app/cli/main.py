"""The command line. Each command imports what it needs: `healthcheck` runs every few seconds."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from dstack_backend.adapters.stdlib_logging import place
from dstack_backend.app.cli.output import open_missing, write_line
from dstack_backend.app.cli.parser import CommandLineError, parse_args
from dstack_backend.app.config.settings import load, load_dstack, load_listen
from dstack_backend.app.errors import UserError

__all__ = ["main", "program"]

AVAILABLE, UNAVAILABLE, BAD_SETTING, UNEXPECTED, INTERRUPTED = 0, 1, 2, 70, 130

UNTIL_SIGNAL = ("serve", "demo", "simulate")
"""What Ctrl-C ends as it should end; of the others nobody may take the end for a good result."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process.

    Exit codes: 0 well, 1 unavailable or not alive, 2 a bad setting or command line, 70 an error of
    ours (EX_SOFTWARE of sysexits.h), 130 ended by Ctrl-C before there was a result.
    """
    command = ""
    try:
        options = parse_args(sys.argv[1:] if arguments is None else arguments)
        command = options.pop("command", "serve")
        code = _COMMANDS[command](options)
    except CommandLineError as exc:
        print(f"dstack-backend: {exc}; see dstack-backend --help", file=sys.stderr)  # noqa: T201
        code = BAD_SETTING
    except UserError as exc:
        print(f"dstack-backend: {exc}", file=sys.stderr)  # noqa: T201
        code = exc.exit_code
    except KeyboardInterrupt:
        code = 0 if command in UNTIL_SIGNAL else INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - a person gets a line, not a traceback
        print(f"dstack-backend: unexpected error, please report it: {place(exc)}", file=sys.stderr)  # noqa: T201
        code = UNEXPECTED
    sys.exit(code)


def program() -> NoReturn:
    """Be the program: `main`, ended without waiting for a thread in which a look-up hangs."""
    open_missing()
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # whoever read it has gone
                stream.flush()
        os._exit(code)


def _end_at_once_on_sigterm() -> None:
    """Until the service's own handler is there: the first process of a container has none."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))


def _serve(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    settings = load(os.environ, options)
    from dstack_backend.app.container import Container  # noqa: PLC0415
    from dstack_backend.app.server.serve import run  # noqa: PLC0415

    run(Container(settings=settings, dstack_settings=load_dstack(os.environ, options)))


def _check(options: dict[str, str]) -> int:
    settings = load(os.environ, options)
    from dstack_backend.adapters.stdlib_logging import set_up_logging  # noqa: PLC0415
    from dstack_backend.app.container import Container  # noqa: PLC0415
    from dstack_backend.app.server.runner import run_once  # noqa: PLC0415
    from dstack_backend.domain.backend_info import encode_health  # noqa: PLC0415
    from dstack_backend.domain.status import assess  # noqa: PLC0415

    set_up_logging(settings.log_level, settings.log_format)
    container = Container(settings=settings, dstack_settings=load_dstack(os.environ, options))
    result = run_once(container.source().list_gpus())
    answer = encode_health(assess(result), container.identity())
    write_line(answer.body.decode())
    return AVAILABLE if answer.is_available else UNAVAILABLE


def _identity(options: dict[str, str]) -> int:
    settings = load(os.environ, options)
    from dstack_backend.adapters.stdlib_logging import set_up_logging  # noqa: PLC0415
    from dstack_backend.app.container import Container  # noqa: PLC0415
    from dstack_backend.app.identity import as_json, as_text, report_identity  # noqa: PLC0415
    from dstack_backend.app.server.runner import run_once  # noqa: PLC0415
    from dstack_backend.domain.gpu import GpuInventory  # noqa: PLC0415

    set_up_logging(settings.log_level, settings.log_format)
    container = Container(settings=settings, dstack_settings=load_dstack(os.environ, options))
    identity = container.identity()  # a key file that cannot be used is told before DStack is asked
    result = run_once(container.source().list_gpus())
    report = report_identity(identity, result)
    write_line(as_json(report) if "json" in options else as_text(report))
    return AVAILABLE if isinstance(result, GpuInventory) else UNAVAILABLE


def _doctor(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    from dstack_backend.app.doctor import run  # noqa: PLC0415

    run(os.environ, options, json="json" in options)


def _history(options: dict[str, str]) -> int:
    from dstack_backend.app.cli.history import run  # noqa: PLC0415

    return run(os.environ, options)


def _demo(options: dict[str, str]) -> int:
    _end_at_once_on_sigterm()
    from dstack_backend.app.simulate.demo import run  # noqa: PLC0415

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
    from dstack_backend.app.cli.healthcheck import is_alive  # noqa: PLC0415

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
