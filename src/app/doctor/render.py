"""The diagnosis as text for a terminal, and as one JSON object for tickets."""

import textwrap
from datetime import datetime
from itertools import groupby

import msgspec

from dstack_backend import __version__
from dstack_backend.app.doctor.finding import Diagnosis, Finding, Verdict

__all__ = ["as_json", "as_text"]

STEP_WIDTH = 12
VERDICT_WIDTH = 9
MIN_WIDTH = 60

_COLOURS = {
    Verdict.OK: "\x1b[32m",
    Verdict.WARNING: "\x1b[33m",
    Verdict.FAILED: "\x1b[1;31m",
    Verdict.SKIPPED: "\x1b[2m",
}
_RESET = "\x1b[0m"


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
    groups = [list(group) for _, group in groupby(diagnosis.findings, _group_key)]
    blocks = [_block(group, max(width, MIN_WIDTH), colour=colour) for group in groups]
    title = f"dstack-backend {__version__}{address}"
    return "\n".join([title, "", *blocks, "", _summary(diagnosis.findings)])


def _group_key(finding: Finding) -> str:
    """Return the same key for steps that were skipped for the same reason."""
    return finding.text if finding.verdict is Verdict.SKIPPED else finding.step


def _block(group: list[Finding], width: int, *, colour: bool) -> str:
    finding, verdict = group[0], group[0].verdict
    mark = verdict.upper() if verdict is Verdict.FAILED else str(verdict)
    step, text = str(finding.step), finding.text
    if verdict is Verdict.SKIPPED:
        step, text = "", f"{', '.join(each.step for each in group)}: {text}"
    lines = _wrap(text, width, f"{mark:{VERDICT_WIDTH}}{step:{STEP_WIDTH}}")
    if colour:
        first = lines[0]
        lines[0] = f"{_COLOURS[verdict]}{first[:VERDICT_WIDTH]}{_RESET}{first[VERDICT_WIDTH:]}"
    for remedy in finding.remedies:
        lines += _wrap(remedy, width, " " * (VERDICT_WIDTH + STEP_WIDTH) + "-> ")
    return "\n".join(lines)


def _wrap(text: str, width: int, prefix: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=prefix,
        subsequent_indent=" " * len(prefix),
        break_long_words=False,  # a command or an address must be copied in one piece
        break_on_hyphens=False,
    )


def _summary(findings: tuple[Finding, ...]) -> str:
    words = {each: str(each) for each in Verdict} | {Verdict.WARNING: "with a warning"}
    counts = {verdict: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
    text = ", ".join(f"{count} {words[verdict]}" for verdict, count in counts.items() if count)
    if counts[Verdict.FAILED]:
        return f"{text}. Begin with the first failed step; -> marks what to do."
    return f"{text}. Nothing failed."
