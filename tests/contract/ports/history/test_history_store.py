"""Each history store keeps the contract of the port."""

import tempfile
from pathlib import Path

import pytest

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.sqlite_history import SqliteHistory, request_forget
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.testing.contracts import HistoryContract


class TestMemoryHistory(HistoryContract):
    """The store in memory."""

    store: MemoryHistory

    def new(self) -> HistoryStore:
        """Return a new store."""
        self.store = MemoryHistory()
        return self.store

    def request_forget(self, slot: str) -> None:
        """Ask the store."""
        self.store.request_forget(slot)


class TestSqliteHistory(HistoryContract):
    """The store in a file."""

    folder: Path
    last: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        type(self).folder = tmp_path

    def new(self) -> HistoryStore:
        """Return a store in a folder of its own."""
        self.last = Path(tempfile.mkdtemp(dir=self.folder))
        return SqliteHistory(self.last)

    def request_forget(self, slot: str) -> None:
        """Ask as another process does."""
        request_forget(self.last, slot)
