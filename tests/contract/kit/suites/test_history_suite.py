"""`HistoryContract` finds a store that breaks it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest
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
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.testing.contracts import HistoryContract


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


BREACHES: list[tuple[type[MemoryHistory], str]] = [
    (RoundsTimes, "test_times_are_exact_to_the_microsecond"),
    (LosesAnEntry, "test_load_returns_what_was_appended"),
    (LosesTheCause, "test_load_returns_what_was_appended"),
    (SortsByTime, "test_load_returns_what_was_appended"),
    (KeepsTheHighestSign, "test_append_replaces_the_sign_of_life"),
    (NeedsEntries, "test_append_replaces_the_sign_of_life"),
    (NeedsEntries, "test_sign_of_life_is_stored_without_entries"),
    (NeverConflicts, "test_append_after_another_entry_is_a_conflict"),
    (NeverConflicts, "test_append_to_an_emptied_store_is_a_conflict"),
    (ComparesNumbersOnly, "test_append_after_another_entry_is_a_conflict"),
    (WritesBeforeAConflict, "test_append_after_another_entry_is_a_conflict"),
    (TakesAnEmptyStoreForItsOwn, "test_append_to_an_emptied_store_is_a_conflict"),
    (KeepsOldEntries, "test_append_deletes_entries_below_the_oldest_number"),
    (NumbersAnew, "test_append_deletes_entries_below_the_oldest_number"),
]


@pytest.mark.parametrize(
    ("kind", "test"), BREACHES, ids=lambda value: getattr(value, "__name__", "")
)
def test_contract_finds_a_store_that_breaks_it(kind: type[MemoryHistory], test: str) -> None:
    """Each breach fails the test that covers it."""

    class Suite(HistoryContract):
        def new(self) -> HistoryStore:
            return kind()

    arguments = [2026] if "microsecond" in test else []
    with pytest.raises((AssertionError, HistoryConflict, pytest.fail.Exception)):
        getattr(Suite(), test)(*arguments)


def test_contract_tests_are_all_proven() -> None:
    """Each test of the suite, but for that of the empty store, has a breach that it finds."""
    tests = {name for name in dir(HistoryContract) if name.startswith("test_")}
    assert tests - {test for _, test in BREACHES} == {"test_new_store_is_empty"}
