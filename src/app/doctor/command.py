"""Runs the examination and prints it."""

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
    """Examine, print, and end the process: 0 well, 1 a step failed, 2 a bad setting.

    The process ends without waiting for threads: a name look-up that hangs sits in one.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # waiting for that thread is what Ctrl-C is against
    examination = asyncio.new_event_loop().run_until_complete(diagnose(environ, options))
    if json:
        text = as_json(examination, SystemClock().utc())
    else:
        text = as_text(examination, shutil.get_terminal_size((100, 24)).columns, colour=_colour())
    write_line(text.removesuffix("\n"))
    os._exit(examination.exit_code)


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
