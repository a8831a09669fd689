"""`HistoryContract` finds a store that breaks it."""

from collections.abc import Sequence
from datetime import datetime

import pytest
from msgspec.structs import replace

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.domain.history import HistoryConflict, HistoryEntry, StoredHistory
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.testing.contracts import HistoryContract

Entries = Sequence[HistoryEntry]


class RoundsTimes(MemoryHistory):
    """Stores whole seconds."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Round the times."""
        rounded = [replace(entry, at=entry.at.replace(microsecond=0)) for entry in entries]
        super().append(rounded, alive_at, after, oldest)


class LosesAnEntry(MemoryHistory):
    """Stores only a part."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Leave out the first of several entries."""
        super().append(entries[1:] or entries, alive_at, after, oldest)


class LosesTheCause(MemoryHistory):
    """Does not store why there is a gap."""

    def load(self) -> StoredHistory:
        """Return gaps without their cause."""
        found = super().load()
        entries = [replace(entry, gap=None) for entry in found.entries]
        return StoredHistory(tuple(entries), found.alive_at)


class SortsByTime(MemoryHistory):
    """Takes the clock for the order of writing."""

    def load(self) -> StoredHistory:
        """Sort."""
        found = super().load()
        entries = sorted(found.entries, key=lambda entry: entry.at)
        return StoredHistory(tuple(entries), found.alive_at)


class KeepsTheHighestSign(MemoryHistory):
    """Never replaces a sign of life by an earlier one."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Keep the highest."""
        known = self.load().alive_at
        super().append(entries, max(alive_at, known or alive_at), after, oldest)


class NeedsEntries(MemoryHistory):
    """Ignores a sign of life without entries."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Do nothing without entries."""
        if entries:
            super().append(entries, alive_at, after, oldest)


class NeverConflicts(MemoryHistory):
    """Appends after whatever is stored."""

    def append(
        self,
        entries: Entries,
        alive_at: datetime,
        after: HistoryEntry | None,  # noqa: ARG002 - that is the breach
        oldest: int = 0,
    ) -> None:
        """Ignore `after`."""
        last = self._entries[-1] if self._entries else None
        super().append(entries, alive_at, last, oldest)


class ComparesNumbersOnly(MemoryHistory):
    """Takes an entry with the same number for the same entry."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Compare numbers."""
        last = self._entries[-1] if self._entries else None
        is_same = last and after and last.number == after.number
        super().append(entries, alive_at, last if is_same else after, oldest)


class WritesBeforeAConflict(MemoryHistory):
    """Writes a part before it raises."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Note the sign of life in any case."""
        try:
            super().append(entries, alive_at, after, oldest)
        except HistoryConflict:
            self._alive_at = alive_at
            raise


class TakesAnEmptyStoreForItsOwn(MemoryHistory):
    """Appends to an empty store whatever is expected."""

    def append(
        self, entries: Entries, alive_at: datetime, after: HistoryEntry | None, oldest: int = 0
    ) -> None:
        """Ignore `after` where nothing is stored."""
        super().append(entries, alive_at, after if self._entries else None, oldest)


class KeepsOldEntries(MemoryHistory):
    """Deletes nothing."""

    def append(
        self,
        entries: Entries,
        alive_at: datetime,
        after: HistoryEntry | None,
        oldest: int = 0,  # noqa: ARG002 - that is the breach
    ) -> None:
        """Ignore `oldest`."""
        super().append(entries, alive_at, after)


class NumbersAnew(MemoryHistory):
    """Numbers the entries from 1 again."""

    def load(self) -> StoredHistory:
        """Number them."""
        found = super().load()
        entries = [replace(entry, number=n) for n, entry in enumerate(found.entries, start=1)]
        return StoredHistory(tuple(entries), found.alive_at)


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
