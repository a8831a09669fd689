"""The findings of the doctor. The names of steps and verdicts are stable: tickets contain them.

A failed step fails the doctor, a warning does not. Steps that do not apply are left out, such as
TLS on a unix socket.
"""

from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.check import CheckFailure, Reason

__all__ = ["Diagnosis", "Finding", "Step", "Verdict", "failed", "ok", "skipped", "warning"]
__all__ += ["detail_of", "sanitize"]

MAX_TEXT_LENGTH = 60


class Step(StrEnum):
    """The steps, in their order."""

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
    """The result of a step."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Struct, frozen=True):
    """The result of one step.

    Attributes:
        step: The step.
        verdict: Its result.
        text: What was found, in one line, without a secret.
        remedies: What to do about it, the most likely remedy first.
        reason: The code that `/status` has for the same failure.
        seconds: How long the step took, where that matters.
    """

    step: Step
    verdict: Verdict
    text: str
    remedies: tuple[str, ...] = ()
    reason: Reason | None = None
    seconds: float | None = None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All findings, and the address of DStack without user and password if it is valid."""

    dstack: str | None
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of the process: 0 no failed step, 1 a failed step, 2 an invalid setting."""
        bad = [each.step for each in self.findings if each.verdict is Verdict.FAILED]
        return 2 if Step.SETTINGS in bad else int(bool(bad))


def ok(step: Step, text: str, seconds: float | None = None) -> Finding:
    """Return the finding of a step without a fault."""
    return Finding(step, Verdict.OK, text, seconds=seconds)


def warning(step: Step, text: str, *remedies: str, seconds: float | None = None) -> Finding:
    """Return the finding of a step that works, with a doubt."""
    return Finding(step, Verdict.WARNING, text, remedies, seconds=seconds)


def failed(step: Step, text: str, *remedies: str, reason: Reason | None = None) -> Finding:
    """Return the finding of a failed step."""
    return Finding(step, Verdict.FAILED, text, remedies, reason)


def skipped(step: Step, because: Step) -> Finding:
    """Return the finding of a step that was not tried because an earlier one failed."""
    return Finding(step, Verdict.SKIPPED, f"not tried: {because} failed")


def detail_of(failure: CheckFailure) -> str:
    """Return the message of a failure without its kind."""
    return failure.message.removeprefix(f"{failure.reason.kind}: ")


def sanitize(text: str) -> str:
    """Return a foreign text as printable ASCII, in one line, with a limited length."""
    short = text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + "..."
    return ascii(short)[1:-1]
