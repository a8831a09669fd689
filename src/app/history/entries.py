"""The entries in memory, in groups with a bound each, numbered in one order."""

import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from heapq import merge

from msgspec.structs import replace

from dstack_backend.domain.history import EntryGroup, HistoryEntry

__all__ = ["Entries"]


class Entries:
    """All entries. Each group is in the order of writing.

    Attributes:
        status: Changes of the status, and gaps.
        gpus: Changes of the GPUs.
        last_number: The number that was given last, also where its entry was deleted since.
    """

    def __init__(self, entries: Iterable[HistoryEntry] = ()) -> None:
        """Store entries that have numbers, in order."""
        self._groups: dict[EntryGroup, list[HistoryEntry]] = {each: [] for each in EntryGroup}
        self.status = self._groups[EntryGroup.STATUS]
        self.gpus = self._groups[EntryGroup.GPU]
        self.last_number = 0
        for entry in entries:
            self._groups[entry.kind.group].append(entry)
            self.last_number = entry.number

    def add(self, entries: Iterable[HistoryEntry]) -> None:
        """Add entries. One that has a number keeps it where the order allows it."""
        for entry in entries:
            self.last_number = max(self.last_number + 1, entry.number)
            message = sys.intern(entry.message)  # there are many of each
            numbered = replace(entry, number=self.last_number, message=message)
            self._groups[entry.kind.group].append(numbered)

    def after(self, number: int) -> list[HistoryEntry]:
        """Return the entries with a higher number, in order."""
        groups = self._groups.values()
        newer = [group[bisect_right(group, number, key=_number) :] for group in groups]
        return list(merge(*newer, key=_number))

    def newest_first(self) -> Iterable[HistoryEntry]:
        """Return all entries, in the opposite order of writing."""
        groups = [reversed(group) for group in self._groups.values()]
        return merge(*groups, key=_number, reverse=True)

    def oldest(self) -> dict[EntryGroup, int]:
        """Return the lowest number of each group that has entries."""
        return {name: group[0].number for name, group in self._groups.items() if group}

    def groups(self) -> Iterable[tuple[EntryGroup, Sequence[HistoryEntry]]]:
        """Return the entries of each group."""
        return self._groups.items()

    def delete(self, group: EntryGroup, count: int) -> None:
        """Delete the first entries of a group."""
        del self._groups[group][:count]


def _number(entry: HistoryEntry) -> int:
    return entry.number
