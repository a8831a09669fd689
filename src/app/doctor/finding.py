"""What the doctor finds, as values. The names of steps and verdicts are stable: tickets hold them.

A step that fails makes the doctor fail; one that warns does not. Steps that do not apply (TLS on a
unix socket) are not there at all.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.check import Reason

__all__ = [
    "Diagnosis",
    "Finding",
    "Step",
    "Verdict",
    "failed",
    "ok",
    "sanitize",
    "skipped",
    "warning",
]

LONGEST_TEXT = 60


class Step(StrEnum):
    """What is looked at, in this order."""

    SETTINGS = "settings"
    CONTAINER = "container"
    NAME = "name"
    SOCKET = "socket"
    CONNECTION = "connection"
    TLS = "tls"
    HTTP = "http"
    AUTH = "auth"
    JSON = "json"
    INVENTORY = "inventory"
    TIME = "time"
    VERSION = "version"
    LISTEN = "listen"
    HISTORY = "history"
    WORKER = "worker"


class Verdict(StrEnum):
    """How a step went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Struct, frozen=True, kw_only=True):
    """How one step went.

    Attributes:
        step: What was looked at.
        verdict: How it went.
        text: What was seen, in one line, without a secret.
        cures: What to do about it, the likeliest first.
        reason: The code that `/status` has for the same failure; `None` where it has none.
        seconds: How long it took, where that tells something.
    """

    step: Step
    verdict: Verdict
    text: str
    remedies: tuple[str, ...] = ()
    reason: Reason | None = None
    seconds: float | None = None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """Everything that was found.

    Attributes:
        dstack: DStack's address without user and password; `None` where it cannot be read.
        findings: The steps, in their order.
        exit_code: 0 well, 1 a step failed, 2 a bad setting.
    """

    dstack: str | None
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        bad = [each.step for each in self.findings if each.verdict is Verdict.FAILED]
        return 2 if Step.SETTINGS in bad else int(bool(bad))


def ok(step: Step, text: str, seconds: float | None = None) -> Finding:
    """Say that a step went well."""
    return Finding(step=step, verdict=Verdict.OK, text=text, seconds=seconds)


def warning(step: Step, text: str, *remedies: str, seconds: float | None = None) -> Finding:
    """Say that a step went well, and that something about it is doubtful."""
    return Finding(
        step=step, verdict=Verdict.WARNING, text=text, remedies=remedies, seconds=seconds
    )


def failed(step: Step, text: str, remedies: Sequence[str], reason: Reason | None = None) -> Finding:
    """Say that a step failed."""
    return Finding(
        step=step, verdict=Verdict.FAILED, text=text, remedies=tuple(remedies), reason=reason
    )


def skipped(step: Step, because: Step) -> Finding:
    """Say that a step was not tried, as an earlier one failed."""
    return Finding(step=step, verdict=Verdict.SKIPPED, text=f"not tried: {because} failed")


def sanitize(text: str) -> str:
    """Give a foreign text as a terminal can take it: printable ASCII, on one line, not long."""
    short = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "..."
    return ascii(short)[1:-1]
