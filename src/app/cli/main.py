"""The program: runs one command, prints its error, and chooses the exit code.

| code     | meaning                                                                      |
|----------|------------------------------------------------------------------------------|
| 0        | success, or the normal end of a command that runs until a signal             |
| 1        | the node is unavailable, GPUs are missing, the service is not alive, a step  |
|          | failed, no history                                                           |
| 2        | a setting or the command line cannot be used, or an extra is not installed   |
| 70       | an unexpected error (EX_SOFTWARE of sysexits.h)                              |
| 74       | standard output cannot be written, such as to a full disk (EX_IOERR)         |
| 128 + n  | ended by signal n, such as 143 by SIGTERM, before there was a result         |
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from dstack_backend.app.cli.command import Command
from dstack_backend.app.cli.output import open_missing, write_error
from dstack_backend.app.cli.parser import parse_args
from dstack_backend.app.cli.signals import exit_on_signals
from dstack_backend.app.errors import UserError, missing_extra

__all__ = ["main", "program"]

UNEXPECTED = 70

_IGNORED = ("SSLKEYLOGFILE", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Variables with which libraries write TLS keys and metrics to files, or fail."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process."""
    command = None
    for name in _IGNORED:
        os.environ.pop(name, None)
    try:
        command, options = parse_args(sys.argv[1:] if arguments is None else arguments)
        exit_on_signals(0 if command.runs_until_signal else None)
        environ = {name: value for name, value in os.environ.items() if value}
        code = command.run({**command.defaults, **environ}, options)
    except Exception as exc:  # noqa: BLE001 - a line and not a traceback
        code = _report(exc, command)
    sys.exit(code)


def program() -> NoReturn:
    """Run `main` and end without waiting for threads: a name look-up in one can hang."""
    open_missing()
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # the reader has closed the pipe
                stream.flush()
        os._exit(code)


def _report(exc: Exception, command: Command | None) -> int:
    """Print the line for an error and return the exit code. The only place that does."""
    if "logging" in sys.modules:  # it is slow to import
        sys.modules["logging"].shutdown()  # writes the log that is queued
    if isinstance(exc, ModuleNotFoundError):
        exc = missing_extra(exc, command.name if command else "--print-completion") or exc
    if isinstance(exc, UserError):
        line, code = str(exc), exc.exit_code
    else:
        from dstack_backend.adapters.stdlib_logging import place  # noqa: PLC0415 - slow

        line, code = f"unexpected error, please report it: {place(exc)}", UNEXPECTED
    write_error(line)
    return code
