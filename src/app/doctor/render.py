"""The examination for a terminal, and as one JSON object for tickets."""

import textwrap
from datetime import datetime
from itertools import groupby

import msgspec
from msgspec import Struct

from dstack_backend import __version__
from dstack_backend.app.doctor.finding import Diagnosis, Finding, Verdict

__all__ = ["as_json", "as_text"]

STEP_WIDTH = 12
VERDICT_WIDTH = 9
NARROWEST = 60

_COLOURS = {
    Verdict.OK: "\x1b[32m",
    Verdict.WARNING: "\x1b[33m",
    Verdict.FAILED: "\x1b[1;31m",
    Verdict.SKIPPED: "\x1b[2m",
}
_PLAIN = "\x1b[0m"
_WORDS = {verdict: str(verdict) for verdict in Verdict} | {Verdict.WARNING: "with a warning"}


class _Ticket(Struct, frozen=True, kw_only=True):
    """The JSON object. Its names are stable."""

    name: str
    version: str
    time: datetime
    dstack: str | None
    exit_code: int
    steps: tuple[Finding, ...]


def as_json(examination: Diagnosis, now: datetime) -> str:
    """Give one JSON object, indented."""
    ticket = _Ticket(
        name="dstack-backend doctor",
        version=__version__,
        time=now,
        dstack=examination.dstack,
        exit_code=examination.exit_code,
        steps=examination.findings,
    )
    return msgspec.json.format(msgspec.json.encode(ticket), indent=2).decode() + "\n"


def as_text(examination: Diagnosis, width: int, *, colour: bool = False) -> str:
    """Give lines for a person.

    Args:
        examination: What was found.
        width: Columns of the terminal.
        colour: Whether the terminal shows colours.
    """
    of = f", DStack at {examination.dstack}" if examination.dstack else ""
    runs = [list(run) for _, run in groupby(examination.findings, _together)]
    blocks = [_block(run, max(width, NARROWEST), colour=colour) for run in runs]
    return "\n".join(
        [f"dstack-backend {__version__}{of}", "", *blocks, "", _sum(examination.findings), ""]
    )


def _together(finding: Finding) -> str:
    """Give what steps that are shown as one have in common: they were skipped for one reason."""
    return finding.text if finding.verdict is Verdict.SKIPPED else finding.step


def _block(run: list[Finding], width: int, *, colour: bool) -> str:
    finding, verdict = run[0], run[0].verdict
    mark = verdict.upper() if verdict is Verdict.FAILED else str(verdict)
    skipped = verdict is Verdict.SKIPPED
    text = f"{', '.join(each.step for each in run)}: {finding.text}" if skipped else finding.text
    step = "" if skipped else finding.step
    lines = _wrap(text, width, "", f"{mark:{VERDICT_WIDTH}}{step:{STEP_WIDTH}}")
    if colour:
        lines[0] = (
            f"{_COLOURS[verdict]}{lines[0][:VERDICT_WIDTH]}{_PLAIN}{lines[0][VERDICT_WIDTH:]}"
        )
    margin = " " * (VERDICT_WIDTH + STEP_WIDTH)
    for cure in finding.remedies:
        lines += _wrap(cure, width, "-> ", margin)
    return "\n".join(lines)


def _wrap(text: str, width: int, bullet: str, first: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first + bullet,
        subsequent_indent=" " * len(first + bullet),
        break_long_words=False,  # a command or an address must be copied in one piece
        break_on_hyphens=False,
    )


def _sum(findings: tuple[Finding, ...]) -> str:
    counts = {verdict: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
    told = ", ".join(f"{number} {_WORDS[verdict]}" for verdict, number in counts.items() if number)
    if counts[Verdict.FAILED]:
        return f"{told}. Begin with the first that failed; the lines with -> say how."
    return f"{told}. Nothing failed."
