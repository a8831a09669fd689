"""Prints the diagnosis as text for a terminal, or as one JSON object for tickets."""

import asyncio
import os
import shutil
import signal
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import NoReturn

import msgspec

from dstack_backend import __version__
from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.doctor.diagnose import diagnose
from dstack_backend.app.doctor.finding import Diagnosis, Finding, Verdict
from dstack_backend.domain.formatting import escape

__all__ = ["as_json", "as_text", "run"]

MIN_WIDTH = 60

_COLOURS = {Verdict.OK: "32", Verdict.WARNING: "33", Verdict.FAILED: "1;31", Verdict.SKIPPED: "2"}


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> NoReturn:
    """Print the diagnosis and end the process with its exit code.

    The process ends without waiting for threads: a name look-up that hangs runs in one. For the
    same reason Ctrl-C ends it at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    diagnosis = asyncio.new_event_loop().run_until_complete(diagnose(environ, options))
    if "json" in options:
        write_line(as_json(diagnosis, SystemClock().utc()))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        text = as_text(diagnosis, shutil.get_terminal_size((100, 24)).columns, colour=colour)
        write_line(text, is_safe=True)
    os._exit(diagnosis.exit_code)


def as_json(diagnosis: Diagnosis, now: datetime) -> str:
    """Return one JSON object, indented. Its names are stable."""
    ticket = {
        "name": "dstack-backend doctor",
        "version": __version__,
        "time": now,
        "dstack": diagnosis.dstack,
        "exit_code": diagnosis.exit_code,
        "steps": diagnosis.findings,
    }
    return msgspec.json.format(msgspec.json.encode(ticket), indent=2).decode()


def as_text(diagnosis: Diagnosis, width: int, *, colour: bool = False) -> str:
    """Return lines for a terminal of so many columns."""
    address = f", DStack at {diagnosis.dstack}" if diagnosis.dstack else ""
    lines = [f"dstack-backend {__version__}{address}", ""]
    for _, group in groupby(diagnosis.findings, _group_key):
        lines += _lines(list(group), max(width, MIN_WIDTH), colour=colour)
    return "\n".join([*lines, "", _summary(diagnosis)])


def _group_key(finding: Finding) -> str:
    """Return the same key for steps that were skipped for the same reason."""
    return finding.text if finding.verdict is Verdict.SKIPPED else finding.step


def _lines(group: list[Finding], width: int, *, colour: bool) -> list[str]:
    finding, verdict = group[0], group[0].verdict
    mark = verdict.upper() if verdict is Verdict.FAILED else str(verdict)
    step, text = str(finding.step), finding.text
    if verdict is Verdict.SKIPPED:
        step, text = "", f"{', '.join(each.step for each in group)}: {text}"
    prefix = f"{mark:9}{step:12}"
    lines = _wrap(prefix, text, width)
    if colour:
        lines[0] = lines[0].replace(mark, f"\x1b[{_COLOURS[verdict]}m{mark}\x1b[0m", 1)
    for remedy in finding.remedies:
        lines += _wrap(f"{'':{len(prefix)}}-> ", remedy, width)
    return lines


def _wrap(prefix: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        escape(text),
        width,
        initial_indent=prefix,
        subsequent_indent=" " * len(prefix),
        break_long_words=False,  # a command or an address must be copied in one piece
        break_on_hyphens=False,
    )


def _summary(diagnosis: Diagnosis) -> str:
    counts = Counter(each.verdict for each in diagnosis.findings)
    text = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    if counts[Verdict.WARNING] > 1:
        text = text.replace(Verdict.WARNING, "warnings")
    first = "Begin with the first failed step; -> marks what to do."
    return f"{text}. {first if counts[Verdict.FAILED] else 'Nothing failed.'}"
