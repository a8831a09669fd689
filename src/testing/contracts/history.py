"""The contract that each `HistoryStore` keeps."""

from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.gpu import Gpu, MissingGpu, StoredGpus, TrackedGpu, UsePeriod
from dstack_backend.domain.history import (
    EntryGroup,
    EntryKind,
    GpuUpdate,
    HistoryConflict,
    HistoryEntry,
    StoredHistory,
)
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.status import Status
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.strategies import entry_lists, gpus, nasty_texts

__all__ = ["HistoryContract"]

_EXAMPLES = settings(max_examples=30, deadline=None)

_GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
_STORED_GPUS = StoredGpus(present=(TrackedGpu(_GPU, EPOCH),))


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
    """Contract of a history store. A subclass implements `new` and `request_forget`."""

    def new(self) -> HistoryStore:
        """Return a new, empty store."""
        raise NotImplementedError

    def request_forget(self, slot: str) -> None:
        """Ask the store that `new` returned last to have missing GPUs of a slot forgotten."""
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
        @given(entry_lists(nasty_texts(), with_gpus=True), st.integers(0, 12))
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
        update = GpuUpdate(state=StoredGpus(), use=[UsePeriod(1, {})], forgotten=["3b:00.0"])
        with self._store([_entry(1), last]) as store:
            use = [UsePeriod(1, {"3b:00.0": (1.0, 0.0)})]
            store.append([], _at(2), last, gpus=GpuUpdate(state=_STORED_GPUS, use=use))
            self.request_forget("3b:00.0")
            before = store.load()
            for after in others:
                oldest = {EntryGroup.STATUS: 2}
                with pytest.raises(HistoryConflict):
                    store.append([_entry(3)], _at(3), after, oldest=oldest, gpus=update)
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

    def test_append_deletes_old_entries_by_group(self) -> None:
        """Old entries and new ones; numbers stay the same and need not be consecutive."""

        @_EXAMPLES
        @given(
            st.dictionaries(st.integers(1, 30), st.sampled_from(EntryKind)),
            st.dictionaries(st.sampled_from(EntryGroup), st.integers(0, 31)),
        )
        def holds(kinds: dict[int, EntryKind], oldest: dict[EntryGroup, int]) -> None:
            entries = [replace(_entry(each), kind=kind) for each, kind in sorted(kinds.items())]
            half = len(entries) // 2
            with self._store(entries[:half]) as store:
                after = entries[half - 1] if half else None
                store.append(entries[half:], _at(0), after, oldest=oldest)
                found = [entry.number for entry in store.load().entries]
            expected = [each for each in sorted(kinds) if each >= oldest.get(kinds[each].group, 0)]
            assert found == expected, "entries of a group from its oldest number on are kept"

        holds()

    def test_state_of_gpus_is_stored_until_it_is_replaced(self) -> None:
        """Each field of each GPU, whatever the texts. An update without a state keeps it."""
        tracked = st.builds(TrackedGpu, gpus(nasty_texts()), st.just(EPOCH), st.integers(0, 9))
        missing = st.builds(MissingGpu, gpus(nasty_texts()), st.just(_at(0.5)), st.integers(0, 9))
        states = st.builds(
            StoredGpus,
            st.lists(tracked, max_size=3).map(tuple),
            st.lists(missing, max_size=3).map(tuple),
        )

        @_EXAMPLES
        @given(states, states)
        def holds(first: StoredGpus, second: StoredGpus) -> None:
            with self._store() as store:
                store.append([], EPOCH, None, gpus=GpuUpdate(state=first))
                store.append([], EPOCH, None, gpus=GpuUpdate())
                store.append([], EPOCH, None)
                assert store.load().gpus == first, "the state of the GPUs is kept"
                store.append([], EPOCH, None, gpus=GpuUpdate(state=second))
                assert store.load().gpus == second, "the state of the GPUs is replaced"

        holds()

    def test_period_of_use_replaces_that_with_its_number(self) -> None:
        """One without slots is deleted, whether it was stored or not. They are in order."""
        seconds = st.tuples(*[st.floats(0, 1800, width=32)] * 2)
        period = st.builds(
            UsePeriod, st.integers(0, 5), st.dictionaries(nasty_texts(), seconds, max_size=2)
        )

        @_EXAMPLES
        @given(st.lists(st.lists(period, max_size=4, unique_by=lambda each: each.number)))
        def holds(updates: list[list[UsePeriod]]) -> None:
            expected: dict[int, UsePeriod] = {}
            with self._store() as store:
                for use in updates:
                    store.append([], EPOCH, None, gpus=GpuUpdate(use=use))
                    expected |= {each.number: each for each in use}
                found = list(store.load().use)
            kept = [expected[number] for number in sorted(expected) if expected[number].slots]
            assert found == kept, "the last periods with slots are stored"

        holds()

    def test_request_to_forget_is_kept_until_it_is_done(self) -> None:
        """A request that is made twice is one; others stay."""
        with self._store() as store:
            for slot in ("3b:00.0", "9b:00.0", "3b:00.0"):
                self.request_forget(slot)
            for found in (store.forget_requests(), store.load().forget_requests):
                assert sorted(found) == ["3b:00.0", "9b:00.0"], "each request is stored once"
            store.append([], EPOCH, None, gpus=GpuUpdate(forgotten=["3b:00.0", "unknown"]))
            for found in (store.forget_requests(), store.load().forget_requests):
                assert list(found) == ["9b:00.0"], "only the request that is done is deleted"
