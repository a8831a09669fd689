"""Stores that break `HistoryContract`, each in its own way."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.domain.history import (
    EntryGroup,
    GpuUpdate,
    HistoryConflict,
    HistoryEntry,
    StoredHistory,
)


class Append(Struct, frozen=True):
    """What `append` is called with."""

    entries: Sequence[HistoryEntry]
    alive_at: datetime
    after: HistoryEntry | None
    oldest: Mapping[EntryGroup, int]
    gpus: GpuUpdate


class Store(MemoryHistory):
    """A store that keeps the contract."""

    def append(
        self,
        entries: Sequence[HistoryEntry],
        alive_at: datetime,
        after: HistoryEntry | None,
        *,
        oldest: Mapping[EntryGroup, int] | None = None,
        gpus: GpuUpdate | None = None,
    ) -> None:
        """Save."""
        self.save(Append(entries, alive_at, after, oldest or {}, gpus or GpuUpdate()))

    def save(self, call: Append) -> None:
        """Save; a subclass saves something else."""
        oldest, gpus = call.oldest, call.gpus
        super().append(call.entries, call.alive_at, call.after, oldest=oldest, gpus=gpus)


class RoundsTimes(Store):
    """Stores whole seconds."""

    def save(self, call: Append) -> None:
        """Round the times."""
        rounded = [replace(entry, at=entry.at.replace(microsecond=0)) for entry in call.entries]
        super().save(replace(call, entries=rounded))


class LosesAnEntry(Store):
    """Stores only a part."""

    def save(self, call: Append) -> None:
        """Leave out the first of several entries."""
        super().save(replace(call, entries=call.entries[1:] or call.entries))


class LosesTheCause(Store):
    """Does not store why there is a gap."""

    def load(self) -> StoredHistory:
        """Return gaps without their cause."""
        found = super().load()
        entries = [replace(entry, gap=None) for entry in found.entries]
        return replace(found, entries=tuple(entries))


class SortsByTime(Store):
    """Takes the clock for the order of writing."""

    def load(self) -> StoredHistory:
        """Sort."""
        found = super().load()
        entries = sorted(found.entries, key=lambda entry: entry.at)
        return replace(found, entries=tuple(entries))


class KeepsTheHighestSign(Store):
    """Never replaces a sign of life by an earlier one."""

    def save(self, call: Append) -> None:
        """Keep the highest."""
        known = self.load().alive_at
        super().save(replace(call, alive_at=max(call.alive_at, known or call.alive_at)))


class NeedsEntries(Store):
    """Ignores a sign of life without entries."""

    def save(self, call: Append) -> None:
        """Do nothing without entries."""
        if call.entries:
            super().save(call)


class NeverConflicts(Store):
    """Appends after whatever is stored."""

    def save(self, call: Append) -> None:
        """Ignore `after`."""
        last = self._entries[-1] if self._entries else None
        super().save(replace(call, after=last))


class ComparesNumbersOnly(Store):
    """Takes an entry with the same number for the same entry."""

    def save(self, call: Append) -> None:
        """Compare numbers."""
        last = self._entries[-1] if self._entries else None
        is_same = last and call.after and last.number == call.after.number
        super().save(replace(call, after=last) if is_same else call)


class WritesBeforeAConflict(Store):
    """Writes a part before it raises."""

    def save(self, call: Append) -> None:
        """Note the sign of life in any case."""
        try:
            super().save(call)
        except HistoryConflict:
            self._alive_at = call.alive_at
            raise


class TakesAnEmptyStoreForItsOwn(Store):
    """Appends to an empty store whatever is expected."""

    def save(self, call: Append) -> None:
        """Ignore `after` where nothing is stored."""
        super().save(call if self._entries else replace(call, after=None))


class KeepsOldEntries(Store):
    """Deletes nothing."""

    def save(self, call: Append) -> None:
        """Ignore `oldest`."""
        super().save(replace(call, oldest={}))


class NumbersAnew(Store):
    """Numbers the entries from 1 again."""

    def load(self) -> StoredHistory:
        """Number them."""
        found = super().load()
        entries = [replace(entry, number=n) for n, entry in enumerate(found.entries, start=1)]
        return replace(found, entries=tuple(entries))


class LosesTheGpu(Store):
    """Does not store the GPU of an entry."""

    def load(self) -> StoredHistory:
        """Return entries without it."""
        found = super().load()
        entries = [replace(entry, gpu=None) for entry in found.entries]
        return replace(found, entries=tuple(entries))


class DeletesWithoutGroups(Store):
    """Takes the limit of one group for that of all."""

    def save(self, call: Append) -> None:
        """Use the highest."""
        highest = max(call.oldest.values(), default=0)
        super().save(replace(call, oldest=dict.fromkeys(EntryGroup, highest)))


class WritesGpusBeforeAConflict(Store):
    """Writes what is new of the GPUs before it raises."""

    def save(self, call: Append) -> None:
        """Note the state in any case."""
        self._gpus = call.gpus.state or self._gpus
        super().save(call)


class DropsTheState(Store):
    """Stores the state of the last update, also where there is none."""

    def save(self, call: Append) -> None:
        """Forget the state before."""
        super().save(call)
        self._gpus = call.gpus.state


class KeepsTheFirstState(Store):
    """Never replaces a state."""

    def save(self, call: Append) -> None:
        """Ignore a second one."""
        gpus = replace(call.gpus, state=self._gpus or call.gpus.state)
        super().save(replace(call, gpus=gpus))


class KeepsEmptyPeriods(Store):
    """Never deletes a period."""

    def save(self, call: Append) -> None:
        """Ignore periods without slots."""
        use = [each for each in call.gpus.use if each.slots]
        super().save(replace(call, gpus=replace(call.gpus, use=use)))


class KeepsRequests(Store):
    """Never deletes a request."""

    def save(self, call: Append) -> None:
        """Ignore which are done."""
        super().save(replace(call, gpus=replace(call.gpus, forgotten=())))


class DropsRequests(Store):
    """Deletes all requests with the first one."""

    def save(self, call: Append) -> None:
        """Take all for done."""
        super().save(replace(call, gpus=replace(call.gpus, forgotten=self.forget_requests())))
