"""What happened besides normal operation: outages, gaps, and losses of GPUs, each with its end."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history.entry import EntryKind, HistoryEntry, SpanState

__all__ = ["Incident", "incidents"]


class Incident(Struct, frozen=True):
    """An outage, a gap, or a change of a GPU.

    Attributes:
        entry: The entry with which it began.
        end: When the outage or the gap ended, or the lost GPU returned; `None` where it did not.
        later_reasons: Other reasons that the outage had before its end.
    """

    entry: HistoryEntry
    end: datetime | None = None
    later_reasons: tuple[Reason, ...] = ()

    @property
    def start(self) -> datetime:
        """Start of the incident. A GPU is lost since it was last listed."""
        gpu = self.entry.gpu
        return (gpu.last_seen if gpu else None) or self.entry.at


def incidents(
    status: Sequence[HistoryEntry],
    gpus: Sequence[HistoryEntry],
    limit: int,
    before: int | None = None,
) -> list[Incident]:
    """Return incidents, the one that began last first.

    Args:
        status: Changes of the status, and gaps, in the order of writing.
        gpus: Changes of the GPUs, in the order of writing.
        limit: At most so many.
        before: Only incidents whose first entry has a lower number.
    """
    found = merge(_outages(status, before), _gpu_incidents(gpus, before), key=_first, reverse=True)
    return list(islice(found, limit))


def _outages(entries: Sequence[HistoryEntry], before: int | None) -> Iterator[Incident]:
    place = _place(entries, before)
    end: datetime | None = None
    reasons: list[Reason | None] = []
    # The first one may have other reasons, and its end, later than `before`.
    for later in map(entries.__getitem__, range(place, len(entries)) if place else ()):
        if not _continues(entries[place - 1], later):
            end = later.at
            break
        reasons.append(later.reason)
    for index in range(place - 1, -1, -1):
        entry = entries[index]
        if index and _continues(entries[index - 1], entry):
            reasons.insert(0, entry.reason)
            continue
        if entry.state is not SpanState.UP:
            others = (each for each in reasons if each and each is not entry.reason)
            yield Incident(entry, end, tuple(dict.fromkeys(others)))
        end, reasons = entry.at, []


def _continues(entry: HistoryEntry, later: HistoryEntry) -> bool:
    """Return whether the later entry is about the same outage, with another reason."""
    return entry.state is later.state is SpanState.DOWN


def _gpu_incidents(entries: Sequence[HistoryEntry], before: int | None) -> Iterator[Incident]:
    """Yield the changes of GPUs. A return is the end of its loss, where that one is known."""
    for index in range(_place(entries, before) - 1, -1, -1):
        entry = entries[index]
        if entry.kind is EntryKind.GPU_LOST:
            later = map(entries.__getitem__, range(index + 1, len(entries)))
            found = _next_of_gpu(entry, later)
            is_return = found is not None and found.kind is EntryKind.GPU_FOUND
            yield Incident(entry, found.at if found and is_return else None)
        else:
            earlier = map(entries.__getitem__, range(index - 1, -1, -1))
            last = _next_of_gpu(entry, earlier) if entry.kind is EntryKind.GPU_FOUND else None
            if last is None or last.kind is not EntryKind.GPU_LOST:
                yield Incident(entry)


def _next_of_gpu(entry: HistoryEntry, others: Iterator[HistoryEntry]) -> HistoryEntry | None:
    """Return the first of other entries that is about the same GPU."""
    gpu = _gpu(entry)
    return next((each for each in others if _gpu(each) == gpu), None)


def _gpu(entry: HistoryEntry) -> tuple[str, str] | None:
    return (entry.gpu.slot, entry.gpu.product_id) if entry.gpu else None


def _place(entries: Sequence[HistoryEntry], before: int | None) -> int:
    return len(entries) if before is None else bisect_left(entries, before, key=_number)


def _number(entry: HistoryEntry) -> int:
    return entry.number


def _first(incident: Incident) -> int:
    return incident.entry.number
