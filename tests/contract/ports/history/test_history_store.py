"""Each history store keeps the contract of the port."""

import tempfile
from pathlib import Path

import pytest

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.testing.contracts import HistoryContract


class TestMemoryHistory(HistoryContract):
    """The store in memory."""

    def new(self) -> HistoryStore:
        """Return a new store."""
        return MemoryHistory()


class TestSqliteHistory(HistoryContract):
    """The store in a file."""

    folder: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        type(self).folder = tmp_path

    def new(self) -> HistoryStore:
        """Return a store in a folder of its own."""
        return SqliteHistory(Path(tempfile.mkdtemp(dir=self.folder)))
