"""The contract that each `HistoryStore` keeps."""

from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import EntryGroup, HistoryConflict, HistoryEntry, StoredHistory
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.status import Status
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import entry_lists, nasty_texts

__all__ = ["HistoryContract"]

_EXAMPLES = settings(max_examples=30, deadline=None)


def _at(second: float) -> datetime:
    return EPOCH + timedelta(seconds=second)


def _entry(number: int) -> HistoryEntry:
    return HistoryEntry(
        at=_at(number),
        before=None,
        after=Status.UNAVAILABLE,
        reason=Reason.TIMED_OUT,
        message="Connection error: no answer in time",
        number=number,
    )


class HistoryContract:
    """Subclass it and implement `new`."""

    def new(self) -> HistoryStore:
        """Return a new, empty store."""
        raise NotImplementedError

    @contextmanager
    def _store(
        self, entries: Sequence[HistoryEntry] = (), alive_at: datetime = EPOCH
    ) -> Generator[HistoryStore, None, None]:
        with closing(self.new()) as store:
            if entries:
                store.append(entries, alive_at, None)
            yield store

    def test_new_store_is_empty(self) -> None:
        """It has no entries and no sign of life."""
        with self._store() as store:
            found = store.load()
            assert (list(found.entries), found.alive_at) == ([], None), "nothing is stored"

    def test_load_returns_what_was_appended(self) -> None:
        """Each field of each entry, in the order of writing, whatever the times and texts."""

        @_EXAMPLES
        @given(entry_lists(nasty_texts()), st.integers(0, 12))
        def holds(entries: list[HistoryEntry], split: int) -> None:
            numbered = [replace(entry, number=number) for number, entry in enumerate(entries, 1)]
            first, second = numbered[:split], numbered[split:]
            with self._store(first) as store:
                store.append(second, _at(1), first[-1] if first else None)
                assert list(store.load().entries) == numbered, "all entries are loaded"

        holds()

    def test_append_replaces_the_sign_of_life(self) -> None:
        """The last one counts, even if it is earlier; an append without entries is one as well."""
        with self._store([_entry(1)], _at(50)) as store:
            assert store.load().alive_at == _at(50), "the sign of life is stored"
            store.append([], _at(40), _entry(1))
            found = store.load()
            assert found.alive_at == _at(40), "the last sign of life, not the highest, is stored"
            assert list(found.entries) == [_entry(1)], "a sign of life is no entry"

    def test_sign_of_life_is_stored_without_entries(self) -> None:
        """A service that has seen nothing yet is alive."""
        with self._store() as store:
            store.append([], _at(3), None)
            assert store.load() == StoredHistory((), _at(3)), "the sign of life alone is stored"

    @pytest.mark.parametrize("year", [1970, 2000, 2026, 2099])
    def test_times_are_exact_to_the_microsecond(self, year: int) -> None:
        """In each year that a clock may show."""
        moment = datetime(year, 7, 1, 12, 0, 0, 999_999, tzinfo=UTC)
        with self._store([replace(_entry(1), at=moment)], moment) as store:
            found = store.load()
            assert found.entries[0].at == moment, "the time of an entry is exact"
            assert found.alive_at == moment, "the time of the sign of life is exact"

    def test_append_after_another_entry_is_a_conflict(self) -> None:
        """Nothing is written where the last entry is not the expected one, or none is expected."""
        last = _entry(2)
        others = (None, _entry(1), _entry(3), replace(last, at=_at(9)), replace(last, reason=None))
        with self._store([_entry(1), last]) as store:
            before = store.load()
            for after in others:
                with pytest.raises(HistoryConflict):
                    store.append([_entry(3)], _at(3), after, oldest={EntryGroup.STATUS: 2})
                assert store.load() == before, "a conflict leaves the store as it was"
            store.append([_entry(3)], _at(3), last)
            entries = list(store.load().entries)
            assert entries == [_entry(1), last, _entry(3)], "the expected entry is continued"

    def test_append_to_an_emptied_store_is_a_conflict(self) -> None:
        """A store without entries does not end with the expected one."""
        with self._store() as store:
            with pytest.raises(HistoryConflict):
                store.append([_entry(2)], _at(2), _entry(1))
            assert store.load() == StoredHistory((), None), "nothing was written"

    def test_append_deletes_entries_below_the_oldest_number(self) -> None:
        """Old entries and new ones; numbers stay the same and need not be consecutive."""

        @_EXAMPLES
        @given(st.lists(st.integers(1, 30), unique=True).map(sorted), st.integers(0, 31))
        def holds(numbers: list[int], oldest: int) -> None:
            entries = [_entry(number) for number in numbers]
            half = len(entries) // 2
            with self._store(entries[:half]) as store:
                after = entries[half - 1] if half else None
                store.append(entries[half:], _at(0), after, oldest={EntryGroup.STATUS: oldest})
                found = [entry.number for entry in store.load().entries]
            expected = [number for number in numbers if number >= oldest]
            assert found == expected, "entries from the oldest number on are kept"

        holds()
