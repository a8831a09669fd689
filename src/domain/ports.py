"""The ports: what the monitor needs of the world, and what it offers to it."""

from typing import Protocol

from dstack_backend.domain.backend_info import HealthAnswer
from dstack_backend.domain.change import Change
from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.report import StatusReport

__all__ = ["DStack", "Health", "Observer", "Presence"]


class DStack(Protocol):
    """A source of GPUs: DStack itself, or what another backend has in its place."""

    async def list_gpus(self) -> CheckResult:
        """Ask once which GPUs the node has.

        It never raises: a failure is a value. It returns within its own deadline. A cancelled
        call releases all that it holds.
        """
        ...


class Presence(Protocol):
    """Notices, without asking it, that a source of GPUs may have gone or come back."""

    async def changed(self) -> None:
        """Wait for such a sign. It is a hint to check, never a verdict; none may ever come.

        A cancelled call releases all that it holds.
        """
        ...


class Health(Protocol):
    """What is known of the node, from memory: no call waits, none asks the source of GPUs."""

    def answer(self) -> HealthAnswer:
        """Give what the worker reads."""
        ...

    def report(self) -> StatusReport:
        """Give all that is known."""
        ...

    def is_ready(self) -> bool:
        """Say whether a first check has finished, whatever it brought."""
        ...


class Observer(Protocol):
    """Is told what happens, after it has been published. It must neither raise nor wait."""

    def checked(self, check: Check) -> None:
        """Take note of a finished check."""
        ...

    def changed(self, change: Change) -> None:
        """Take note of a change of status; each comes once."""
        ...
