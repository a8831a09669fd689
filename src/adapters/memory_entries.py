"""The entries of a history in memory: groups with a bound each, in one order, and their reads.

No read waits for a disk; long ones have a thread of their own.
"""

import asyncio
import sys
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from heapq import merge
from typing import TypeVar

from msgspec.structs import replace

from dstack_backend.domain.history import (
    DEFAULT_KINDS,
    EntryGroup,
    EntryKind,
    HistoryEntry,
    Incident,
    Uptime,
    incidents,
    latest,
    record_start,
    spans,
    timeline,
    uptime_windows,
)

__all__ = ["Entries", "EntriesReader", "run_in"]

T = TypeVar("T")


async def run_in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Run a function in a thread, and return its result."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)


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


class EntriesReader:
    """The part of the port `HistoryReader` that is about entries."""

    def __init__(self, utc: Callable[[], datetime], entries: Iterable[HistoryEntry] = ()) -> None:
        """Store entries that have numbers, in order. `utc` returns the present time."""
        self._entries = Entries(entries)
        self._utc = utc
        # Not the event loop's own threads: name look-ups that hang may occupy all of them.
        self._reader_thread = ThreadPoolExecutor(1, "history-reader")

    async def _read(self, work: Callable[[], T], *, is_long: bool = True) -> T:
        """Return the result of a function."""
        return await run_in(self._reader_thread, work) if is_long else work()

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
        entries = self._entries.newest_first()
        read = partial(latest, since=since, until=until, before=before, kinds=kinds)
        return await self._read(lambda: read(entries, limit), is_long=False)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        entries, now = self._entries.status.copy(), self._utc()
        since = now - timedelta(seconds=seconds)
        return await self._read(
            lambda: timeline(spans(entries, since, now, now), since, now, slots)
        )

    async def uptime(self) -> dict[str, Uptime]:
        """Return the uptime of each window of `domain.history.WINDOWS`."""
        entries, now = self._entries.status.copy(), self._utc()
        return await self._read(lambda: uptime_windows(entries, now, now))

    async def start(self) -> datetime | None:
        """Return from when on the status is recorded; `None` before the first entry."""
        entries = self._entries.status.copy()
        return await self._read(lambda: record_start(entries))

    async def incidents(self, limit: int, before: int | None = None) -> list[Incident]:
        """Return incidents, the one that began last first. See `domain.history.incidents`."""
        status, gpus = self._entries.status.copy(), self._entries.gpus.copy()
        return await self._read(lambda: incidents(status, gpus, limit, before))
