"""Runs all checks and prints the findings."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from typing import NoReturn

from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.doctor.diagnose import diagnose
from dstack_backend.app.doctor.render import as_json, as_text

__all__ = ["run"]


def run(environ: Mapping[str, str], options: Mapping[str, str], *, json: bool = False) -> NoReturn:
    """Print the diagnosis and end the process with its exit code.

    The process ends without waiting for threads: a name look-up that hangs runs in one. For the
    same reason Ctrl-C ends it at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    diagnosis = asyncio.new_event_loop().run_until_complete(diagnose(environ, options))
    if json:
        write_line(as_json(diagnosis, SystemClock().utc()))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        write_line(as_text(diagnosis, shutil.get_terminal_size((100, 24)).columns, colour=colour))
    os._exit(diagnosis.exit_code)
