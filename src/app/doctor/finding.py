"""The findings of the doctor. The names of steps and verdicts are stable: tickets contain them.

A failed step fails the doctor, a warning does not. Steps that do not apply are left out, such as
TLS on a unix socket.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.domain.formatting import escape

__all__ = ["Diagnosis", "Finding", "Step", "Verdict"]
__all__ += ["sanitize", "skip_rest"]

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
    NOTIFY = "notify"

    def ok(self, text: str, seconds: float | None = None) -> "Finding":
        """Return the finding of this step without a fault."""
        return Finding(self, Verdict.OK, text, seconds=seconds)

    def warning(self, text: str, *remedies: str, seconds: float | None = None) -> "Finding":
        """Return the finding of this step where it works, with a doubt."""
        return Finding(self, Verdict.WARNING, text, remedies, seconds=seconds)

    def failed(self, text: str, *remedies: str, reason: Reason | None = None) -> "Finding":
        """Return the finding of this step where it failed."""
        return Finding(self, Verdict.FAILED, text, remedies, reason)


class Verdict(StrEnum):
    """The result of a step."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Struct, frozen=True):
    """The result of one step.

    Attributes:
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
    findings: Sequence[Finding]

    @property
    def exit_code(self) -> int:
        """The exit code of the process: 0 no failed step, 1 a failed step, 2 an invalid setting."""
        bad = [each.step for each in self.findings if each.verdict is Verdict.FAILED]
        return 2 if Step.SETTINGS in bad else int(bool(bad))


def skip_rest(findings: list[Finding], steps: Iterable[Step], failed: Step) -> list[Finding]:
    """Append a skipped finding for each step that has none, because one step failed."""
    tried, text = {each.step for each in findings}, f"not tried: {failed} failed"
    rest = [Finding(step, Verdict.SKIPPED, text) for step in steps if step not in tried]
    return [*findings, *rest]


def sanitize(text: str) -> str:
    """Return a foreign text as one printable line with a limited length."""
    return escape(text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + "...")
