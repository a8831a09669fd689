"""The entries of the history: changes of the status, gaps, and changes of the GPUs.

A gap is a time of which nothing is known. A change of the status or a gap begins a span that lasts
until the next of them. `HistoryEntry.state` is how the span counts:

| state     | while                                                                            |
|-----------|----------------------------------------------------------------------------------|
| `up`      | the status was available                                                         |
| `down`    | the status was unavailable because a check failed                                |
| `unknown` | there was no check: not running, before the first check, stale, or a gap         |

Entries are in the order in which they were written. `at` is the wall clock's time and may be wrong:
see `uptime.py` for how times are computed then.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu.change import GpuChange
from dstack_backend.domain.status import Change, Status

__all__ = [
    "DEFAULT_KINDS",
    "EntryGroup",
    "EntryKind",
    "GapCause",
    "GpuEntry",
    "HistoryEntry",
    "SpanState",
    "entry_for",
    "entry_for_gpu",
    "gpu_entry",
    "is_same_entry",
    "latest",
    "status_entries",
]

MAX_MESSAGE_LENGTH = 500
"""Characters. The messages for DStack are shorter; another source may send longer ones."""


class SpanState(StrEnum):
    """How a span counts."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class EntryGroup(StrEnum):
    """Groups of entries, each with a bound of its own."""

    STATUS = "status"
    GPU = "gpu"
    USE = "use"


class EntryKind(StrEnum):
    """What an entry is about. The codes are stored and stable."""

    STATUS = "status"
    GAP = "gap"
    GPU_LOST = "gpu_lost"
    GPU_FOUND = "gpu_found"
    GPU_REPLACED = "gpu_replaced"
    GPU_ALLOCATED = "gpu_allocated"
    GPU_RELEASED = "gpu_released"

    @property
    def group(self) -> EntryGroup:
        """The group to which its entries belong."""
        if self in (EntryKind.STATUS, EntryKind.GAP):
            return EntryGroup.STATUS
        is_use = self in (EntryKind.GPU_ALLOCATED, EntryKind.GPU_RELEASED)
        return EntryGroup.USE if is_use else EntryGroup.GPU


class GapCause(StrEnum):
    """Why nothing is known of a time. The codes are stored and stable."""

    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CLOCK_SET_BACK = "clock_set_back"
    REPLACED = "replaced"

    @property
    def message(self) -> str:
        """The same for people."""
        return _GAP_MESSAGES[self]


_GAP_MESSAGES = {
    GapCause.STOPPED: "Not running: the service was stopped or the machine was off",
    GapCause.SUSPENDED: "Suspended: the machine or the process was suspended, or the clock was set",
    GapCause.CLOCK_SET_BACK: "Clock set back: the clock was ahead before",
    GapCause.REPLACED: "History replaced: the file was replaced while the service was running",
}


DEFAULT_KINDS = frozenset(kind for kind in EntryKind if kind.group is not EntryGroup.USE)
"""What is listed where no kind is asked for: the use of GPUs would hide everything else."""


class GpuEntry(Struct, frozen=True, gc=False):
    """The GPU of an entry.

    Attributes:
        slot: PCI address.
        product_id: PCI vendor and device.
        model: Marketing name; `None` where it is not known.
        last_seen: Of a GPU that was lost, or that has returned, when it was last listed before.
    """

    slot: str
    product_id: str
    model: str | None
    last_seen: datetime | None = None


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One change of the status, the start of a gap, or one change of a GPU.

    Attributes:
        kind: What it is about.
        at: When it happened, by the wall clock.
        before: The status until then; `None` where it is not known, and for a GPU.
        after: The status from then on; `None` for a gap, and for a GPU.
        reason: Why it is unavailable from then on; `None` otherwise.
        gap: Why nothing is known from then on; `None` otherwise.
        gpu: The GPU; `None` for changes of the status and gaps.
        message: The same for people. No code decides on it.
        number: Position in the order of writing, from 1; 0 before it is in the history.
    """

    kind: EntryKind = EntryKind.STATUS
    at: datetime
    before: Status | None = None
    after: Status | None = None
    reason: Reason | None = None
    gap: GapCause | None = None
    gpu: GpuEntry | None = None
    message: str
    number: int = 0

    @property
    def state(self) -> SpanState:
        """How the time from then on counts. Has no meaning for an entry of a GPU."""
        if self.after is Status.AVAILABLE:
            return SpanState.UP
        is_known = self.after is not None and (self.reason is None or self.reason.is_conclusive)
        return SpanState.DOWN if is_known else SpanState.UNKNOWN


def entry_for(change: Change) -> HistoryEntry | None:
    """Return the entry for a change; `None` where neither status nor reason changed."""
    before, after = change.before, change.after
    if (before.status, before.reason) == (after.status, after.reason):
        return None
    return HistoryEntry(
        at=change.at.utc,
        before=None if before.reason is Reason.STARTING else before.status,
        after=after.status,
        reason=after.reason,
        message=after.message[:MAX_MESSAGE_LENGTH].encode(errors="replace").decode(),
    )


def entry_for_gpu(change: GpuChange) -> HistoryEntry:
    """Return the entry for a change of a GPU."""
    gpu = change.gpu
    return HistoryEntry(
        kind=EntryKind(f"gpu_{change.kind}"),
        at=change.at,
        gpu=gpu_entry(gpu.slot, gpu.product_id, gpu.model, change.last_seen),
        message=f"GPU {change.message}"[:MAX_MESSAGE_LENGTH],
    )


@lru_cache(maxsize=1000)
def gpu_entry(
    slot: str, product_id: str, model: str | None, last_seen: datetime | None
) -> GpuEntry:
    """Return the same object for the many entries of one GPU."""
    return GpuEntry(slot, product_id, model, last_seen)


def status_entries(entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    """Return those that begin a span: changes of the status, and gaps."""
    return [each for each in entries if each.kind.group is EntryGroup.STATUS]


def is_same_entry(one: HistoryEntry, other: HistoryEntry) -> bool:
    """Return whether two entries are the same but for the message, which a disk may damage."""
    return replace(one, message="") == replace(other, message="")


def latest(
    newest_first: Iterable[HistoryEntry],
    limit: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    kinds: Collection[EntryKind] = DEFAULT_KINDS,
) -> list[HistoryEntry]:
    """Return entries, the last written first.

    Args:
        newest_first: In the opposite order of writing.
        limit: At most so many.
        since: Only entries from then on.
        until: Only entries before that time.
        before: Only entries with a lower number.
        kinds: Only entries of these kinds, by default all but the use of GPUs.
    """
    matching = (
        entry
        for entry in newest_first
        if entry.kind in kinds
        and (before is None or entry.number < before)
        and (since is None or entry.at >= since)
        and (until is None or entry.at < until)
    )
    return list(islice(matching, limit))
