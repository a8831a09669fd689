"""The contract suite of the past finds what breaks it; else it would prove nothing."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

import pytest
from msgspec.structs import replace

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.testing.contracts import HistoryContract


class ForgetsWhatHeld(MemoryHistory):
    """Gives only the entries inside a time."""

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Leave out the one before."""
        return [entry for entry in super().between(since, until) if entry.at >= since]


class SortsByTime(MemoryHistory):
    """Takes the clock for the order of writing."""

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Sort."""
        return sorted(super().between(since, until), key=lambda entry: entry.at)


class BelievesTheHighestTime(MemoryHistory):
    """Ends a time with the first entry that is not older."""

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Stop there."""
        return list(takewhile(lambda entry: entry.at < until, super().between(since, until)))


class BelievesTheLowestTime(MemoryHistory):
    """Takes an entry of 1970 for an old one."""

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget what was before the last that is older."""
        entries = self.latest(1000)[::-1]
        old = [place for place, entry in enumerate(entries) if entry.at < older_than]
        self._entries = entries[max(old[-1], len(entries) - most) :]


class GivesEverything(MemoryHistory):
    """Reads the whole past for each window."""

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:  # noqa: ARG002
        """Ignore the window."""
        return self.latest(1000)[::-1]


class RoundsTimes(MemoryHistory):
    """Keeps whole seconds."""

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Round."""
        rounded = [replace(entry, at=entry.at.replace(microsecond=0)) for entry in entries]
        super().append(rounded, alive_at)


class LosesAnEntry(MemoryHistory):
    """Writes a part."""

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Leave out the fourth."""
        super().append([*entries[:3], *entries[4:]], alive_at)


class KeepsTheOldestSign(MemoryHistory):
    """Never takes a sign of life back."""

    def alive_at(self) -> datetime | None:
        """Give the highest."""
        found = super().alive_at()
        self._highest = max(filter(None, (found, getattr(self, "_highest", None))), default=None)
        return self._highest


class PrunesAll(MemoryHistory):
    """Forgets what still holds."""

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget all that is older, the last entry included."""
        kept = [entry for entry in self.latest(1000)[::-1] if entry.at >= older_than]
        self._entries = kept[-most:]


class NumbersAnew(MemoryHistory):
    """Gives a number twice."""

    def prune(self, older_than: datetime, most: int) -> None:
        """Count again."""
        super().prune(older_than, most)
        self._numbers = len(self._entries)


BREACHES: list[tuple[type[MemoryHistory], str]] = [
    (ForgetsWhatHeld, "test_a_time_is_known_from_its_own_entries"),
    (ForgetsWhatHeld, "test_of_a_long_past_only_the_time_asked_for_is_read"),
    (SortsByTime, "test_a_wrong_clock_hides_nothing_that_was_written_after_it"),
    (BelievesTheHighestTime, "test_a_wrong_clock_hides_nothing_that_was_written_after_it"),
    (BelievesTheLowestTime, "test_a_clock_that_was_not_set_makes_nothing_old"),
    (GivesEverything, "test_of_a_long_past_only_the_time_asked_for_is_read"),
    (RoundsTimes, "test_a_time_is_kept_to_the_microsecond"),
    (LosesAnEntry, "test_what_was_written_is_read_with_its_place"),
    (KeepsTheOldestSign, "test_the_last_sign_of_life_counts"),
    (PrunesAll, "test_the_last_entry_is_never_forgotten"),
    (PrunesAll, "test_what_is_old_is_forgotten_but_for_what_still_holds"),
    (NumbersAnew, "test_of_too_many_the_last_are_kept_and_numbers_go_on"),
]


@pytest.mark.parametrize(
    ("kind", "test"), BREACHES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_store_that_breaks_its_promise_is_found(kind: type[MemoryHistory], test: str) -> None:
    """Each breach fails the test that is there for it."""

    class Suite(HistoryContract):
        def new(self) -> HistoryStore:
            return kind()

    arguments = [2026] if "microsecond" in test else []
    with pytest.raises((AssertionError, ValueError)):
        getattr(Suite(), test)(*arguments)
