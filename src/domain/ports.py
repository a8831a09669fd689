"""The ports: what the monitor needs of the world, and what it offers to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from dstack_backend.domain.backend_info import HealthResponse
from dstack_backend.domain.change import Change
from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.history.entry import HistoryEntry, Uptime
from dstack_backend.domain.report import StatusReport

__all__ = [
    "ConnectivityWatcher",
    "GpuSource",
    "Health",
    "HistoryReader",
    "HistoryStore",
    "Observer",
    "UpdateNotifier",
]


class GpuSource(Protocol):
    """A source of GPUs: DStack itself, or what another backend has in its place."""

    async def list_gpus(self) -> CheckResult:
        """Ask once which GPUs the node has.

        It never raises: a failure is a value. It returns within its own deadline. A cancelled
        call releases all that it holds.
        """
        ...


class ConnectivityWatcher(Protocol):
    """Notices, without asking it, that a source of GPUs may have gone or come back."""

    async def wait_for_change(self) -> None:
        """Wait for such a sign. It is a hint to check, never a verdict; none may ever come.

        A cancelled call releases all that it holds.
        """
        ...


class Health(Protocol):
    """What is known of the node, from memory: no call waits, none asks the source of GPUs."""

    def answer(self) -> HealthResponse:
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

    def on_check(self, check: Check) -> None:
        """Take note of a finished check."""
        ...

    def on_change(self, change: Change) -> None:
        """Take note of a change of status; each comes once."""
        ...


class HistoryStore(Protocol):
    """Keeps entries. Its calls may wait for a disk: they are for threads of their own.

    One thread writes: `append`, `prune`, `close`. Any thread may read meanwhile. Each call raises
    `HistoryError` where the past cannot be written or read now; what was to be written is then not
    written in part, and may be tried again.
    """

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Write entries, in their order, and that we run at `alive_at`: all of it or nothing."""
        ...

    def alive_at(self) -> datetime | None:
        """Give when we were last known to run; `None` where there is no past."""
        ...

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Give the entries of a time in the order of writing, and the last one before it.

        It begins with the last one written that is older than `since`, and ends with the last one
        written that is older than `until`; for both, one of a clock that was not set is none. See
        the rule for a wrong clock.
        """
        ...

    def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first: at most `limit`, of a time, below a number."""
        ...

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget what is older, and all but the last `most`; keep what holds at that moment."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class HistoryReader(Protocol):
    """What is known of the past, for whoever shows it. It waits for a disk, not for the loop."""

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first. See `History.latest`."""
        ...

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        ...


class UpdateNotifier(Protocol):
    """Numbers what there is to see: each check and each change makes an edition."""

    @property
    def version(self) -> int:
        """The number of the last edition."""
        ...

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an edition after the one that was seen; `None`: there will be none any more."""
        ...
