"""`HistoryContract` finds a store that breaks it."""

import pytest

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.domain.history import HistoryConflict
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.testing.contracts import HistoryContract
from tests.contract.kit.suites import history_stores as stores

BREACHES: list[tuple[type[MemoryHistory], str]] = [
    (stores.RoundsTimes, "test_times_are_exact_to_the_microsecond"),
    (stores.LosesAnEntry, "test_load_returns_what_was_appended"),
    (stores.LosesTheCause, "test_load_returns_what_was_appended"),
    (stores.SortsByTime, "test_load_returns_what_was_appended"),
    (stores.KeepsTheHighestSign, "test_append_replaces_the_sign_of_life"),
    (stores.NeedsEntries, "test_append_replaces_the_sign_of_life"),
    (stores.NeedsEntries, "test_sign_of_life_is_stored_without_entries"),
    (stores.NeverConflicts, "test_append_after_another_entry_is_a_conflict"),
    (stores.NeverConflicts, "test_append_to_an_emptied_store_is_a_conflict"),
    (stores.ComparesNumbersOnly, "test_append_after_another_entry_is_a_conflict"),
    (stores.WritesBeforeAConflict, "test_append_after_another_entry_is_a_conflict"),
    (stores.TakesAnEmptyStoreForItsOwn, "test_append_to_an_emptied_store_is_a_conflict"),
    (stores.KeepsOldEntries, "test_append_deletes_old_entries_by_group"),
    (stores.NumbersAnew, "test_append_deletes_old_entries_by_group"),
    (stores.DeletesWithoutGroups, "test_append_deletes_old_entries_by_group"),
    (stores.LosesTheGpu, "test_load_returns_what_was_appended"),
    (stores.WritesGpusBeforeAConflict, "test_append_after_another_entry_is_a_conflict"),
    (stores.DropsTheState, "test_state_of_gpus_is_stored_until_it_is_replaced"),
    (stores.KeepsTheFirstState, "test_state_of_gpus_is_stored_until_it_is_replaced"),
    (stores.KeepsEmptyPeriods, "test_period_of_use_replaces_that_with_its_number"),
    (stores.KeepsRequests, "test_request_to_forget_is_kept_until_it_is_done"),
    (stores.DropsRequests, "test_request_to_forget_is_kept_until_it_is_done"),
]


@pytest.mark.parametrize(
    ("kind", "test"), BREACHES, ids=lambda value: getattr(value, "__name__", "")
)
def test_contract_finds_a_store_that_breaks_it(kind: type[MemoryHistory], test: str) -> None:
    """Each breach fails the test that covers it."""

    class Suite(HistoryContract):
        store: MemoryHistory

        def new(self) -> HistoryStore:
            self.store = kind()
            return self.store

        def request_forget(self, slot: str) -> None:
            self.store.request_forget(slot)

    arguments = [2026] if "microsecond" in test else []
    with pytest.raises((AssertionError, HistoryConflict, pytest.fail.Exception)):
        getattr(Suite(), test)(*arguments)


def test_contract_tests_are_all_proven() -> None:
    """Each test of the suite, but for that of the empty store, has a breach that it finds."""
    tests = {name for name in dir(HistoryContract) if name.startswith("test_")}
    assert tests - {test for _, test in BREACHES} == {"test_new_store_is_empty"}
