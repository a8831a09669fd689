"""The ports: what the monitor needs from outside, and what it offers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from dstack_backend.domain.backend_info import HealthResponse
from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.durations import DurationPeriod
from dstack_backend.domain.gpu.state import GpuState
from dstack_backend.domain.gpu.use import GpuUse
from dstack_backend.domain.history.entry import (
    DEFAULT_KINDS,
    EntryGroup,
    EntryKind,
    HistoryEntry,
)
from dstack_backend.domain.history.incidents import Incident
from dstack_backend.domain.history.stored import GpuUpdate, StoredHistory
from dstack_backend.domain.history.uptime import Uptime
from dstack_backend.domain.notification.event import Level
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.status import Change

__all__ = [
    "ConnectivityWatcher",
    "GpuSource",
    "Health",
    "HistoryReader",
    "HistoryStore",
    "MessageTarget",
    "Observer",
    "UpdateNotifier",
]


class GpuSource(Protocol):
    """A source of an inventory: DStack, or whatever an embedding backend has in its place."""

    async def list_gpus(self) -> CheckResult:
        """Return the inventory, or why there is none.

        It never raises and returns within its own deadline. A cancelled call releases everything
        that it holds.
        """
        ...


class ConnectivityWatcher(Protocol):
    """Notices that a source may have gone or come back, without calling it."""

    async def wait_for_change(self) -> None:
        """Wait for a hint. It causes a check and decides nothing; there may never be one.

        A cancelled call releases everything that it holds.
        """
        ...


class Health(Protocol):
    """What is known of the node, from memory: no call waits, and none calls the source."""

    def response(self) -> HealthResponse:
        """Return the encoded BackendInfo."""
        ...

    def report(self) -> StatusReport:
        """Return everything that is known."""
        ...

    def gpus(self) -> GpuState | None:
        """Return what is known of the GPUs; `None` while no inventory of GPUs is known."""
        ...

    def durations(self) -> Mapping[int, DurationPeriod]:
        """Return how long the checks of the last 24 hours took, by half hour."""
        ...

    def is_ready(self) -> bool:
        """Return whether a first check has finished, whatever its result."""
        ...


class Observer(Protocol):
    """Is called after something was published. It must neither raise nor block."""

    def on_check(self, check: Check) -> None:
        """Handle a finished check."""
        ...

    def on_change(self, change: Change) -> None:
        """Handle a change of the status. Each change is passed once."""
        ...

    def on_gpus(self, gpus: GpuState) -> None:
        """Handle the state of the GPUs after a good check, and `gpus.changes`.

        It is called after `on_check`, and when an earlier process's memory was restored or a
        missing GPU was forgotten. It is never called for an inventory without GPUs.
        """
        ...


class HistoryStore(Protocol):
    """Saves the history. Calls may block on a disk: they are made from one thread."""

    def load(self) -> StoredHistory:
        """Return what is saved.

        Raises:
            HistoryError: It cannot be read now.
        """
        ...

    def append(
        self,
        entries: Sequence[HistoryEntry],
        alive_at: datetime,
        after: HistoryEntry | None,
        *,
        oldest: Mapping[EntryGroup, int] | None = None,
        gpus: GpuUpdate | None = None,
    ) -> None:
        """Save entries and that the service is running: all of it or nothing.

        Args:
            entries: New entries with their numbers, in order.
            alive_at: The present time.
            after: The entry that was saved last; `None` where nothing is saved.
            oldest: Entries of a group with a lower number are deleted.
            gpus: What is new of the GPUs.

        Raises:
            HistoryConflict: The last saved entry is not `after`. Nothing was written.
            HistoryError: It cannot be written now. It may be tried again.
        """
        ...

    def forget_requests(self) -> Sequence[str]:
        """Return the slots of missing GPUs that an operator wants to be forgotten.

        Raises:
            HistoryError: They cannot be read now.
        """
        ...

    def close(self) -> None:
        """Release the store."""
        ...


class HistoryReader(Protocol):
    """The history from memory. No call waits for a disk, and none fails."""

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        kinds: Collection[EntryKind] = DEFAULT_KINDS,
    ) -> list[HistoryEntry]:
        """Return entries, the last written first. See `domain.history.latest`."""
        ...

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        ...

    async def uptime(self) -> dict[str, Uptime]:
        """Return the uptime of each window of `domain.history.WINDOWS`."""
        ...

    async def start(self) -> datetime | None:
        """Return from when on the status is recorded; `None` before the first entry."""
        ...

    async def incidents(self, limit: int, before: int | None = None) -> list[Incident]:
        """Return incidents, the one that began last first. See `domain.history.incidents`."""
        ...

    async def gpu_use(self) -> GpuUse:
        """Return how long the GPUs were in use."""
        ...


class MessageTarget(Protocol):
    """An address that gets messages for the operator. Calls may block: each has its own thread."""

    @property
    def name(self) -> str:
        """Name of the service for people, without a secret."""
        ...

    def send(self, title: str, body: str, level: Level = Level.INFO) -> bool:
        """Send a plain text and return whether it was accepted. It never raises."""
        ...


class UpdateNotifier(Protocol):
    """Counts the updates: each check and each change is one."""

    @property
    def version(self) -> int:
        """The number of the last update."""
        ...

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an update after `version`; `None` means that there will be no more."""
        ...
