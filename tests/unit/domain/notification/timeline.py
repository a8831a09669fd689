"""A timeline: entries of the history by second, and the batches that are told."""

from collections.abc import Iterable

from msgspec.structs import replace

from dstack_backend.domain import Reason
from dstack_backend.domain.history import EntryKind, GpuEntry, HistoryEntry
from dstack_backend.domain.notification import (
    Event,
    NotifyPolicy,
    NotifyState,
    due_at,
    on_entry,
    take,
)
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fakes import ORIGIN
from tests.unit.history_entries import at, down

__all__ = ["SLOT", "Batch", "Timeline", "gpu", "moment", "stale", "told"]

SLOT = "3b:00.0"

Batch = tuple[float, list[Event]]
"""The second in which it was taken, and its events."""


class Timeline:
    """A process that takes each batch when it is due.

    Attributes:
        state: The state of the notifications.
        batches: What was taken.
    """

    def __init__(
        self, policy: NotifyPolicy | None = None, state: NotifyState | None = None
    ) -> None:
        self.policy = policy or NotifyPolicy()
        self.state = state or NotifyState()
        self.batches: list[Batch] = []
        self._now = ORIGIN

    def add(self, entries: Iterable[HistoryEntry]) -> None:
        """Let time pass until each entry, and add it."""
        for entry in entries:
            now = moment(entry)
            self.pass_until(now.monotonic - ORIGIN)
            self.state = on_entry(self.state, entry, now, self.policy)

    def pass_until(self, second: float) -> None:
        """Let time pass, and take what is due."""
        end = ORIGIN + second
        while (due := due_at(self.state, self.policy)) is not None and due <= end:
            self._now = max(self._now, due)
            self.state, events = take(self.state, self._now, self.policy)
            assert events
            self.batches.append((self._now - ORIGIN, list(events)))
        self._now = end

    @property
    def texts(self) -> list[tuple[float, list[str]]]:
        """The batches, each event as its kind with how long it lasted or how many there were."""
        return [(second, [_text(event) for event in events]) for second, events in self.batches]


def _text(event: Event) -> str:
    parts = [str(event.kind)]
    parts += [f"{event.seconds:g}"] if event.seconds is not None else []
    parts += [f"x{event.count}"] if event.count > 1 else []
    return " ".join(parts)


def told(
    *entries: HistoryEntry, until: float = 10_000, policy: NotifyPolicy | None = None
) -> list[tuple[float, list[str]]]:
    """Return what is told of entries."""
    timeline = Timeline(policy)
    timeline.add(entries)
    timeline.pass_until(until)
    return timeline.texts


def moment(entry: HistoryEntry) -> Timestamp:
    """Return when an entry begins, on both clocks."""
    return Timestamp(ORIGIN + (entry.at - at(0)).total_seconds(), entry.at)


def stale(second: float) -> HistoryEntry:
    """Return an entry: stale from a second on."""
    return replace(down(second), reason=Reason.STALE)


def gpu(kind: EntryKind, second: float, last_seen: float | None = None) -> HistoryEntry:
    """Return an entry of a GPU, which was last listed before at a second."""
    seen = None if last_seen is None else at(last_seen)
    entry = GpuEntry(SLOT, "10de:2335", "H200 SXM 141GB", seen)
    return HistoryEntry(kind=kind, at=at(second), gpu=entry, message="")
