"""Opens the past: in a file, or in memory where the operator wants no file."""

from collections.abc import Callable
from pathlib import Path

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain.history.entry import HistoryError
from dstack_backend.domain.ports import HistoryStore

__all__ = ["opener"]


def opener(folder: Path | None) -> Callable[[], HistoryStore]:
    """Make what opens the past in a folder; `None` keeps it in memory only.

    Where the folder cannot be used, what is made raises `HistoryError`, with a way out.
    """

    def open_history() -> HistoryStore:
        if folder is None:
            return MemoryHistory()
        try:
            return SqliteHistory(folder)
        except HistoryError as exc:
            raise HistoryError(
                f"DATA_DIR cannot be used ({exc}); name a folder that this user can write to and no"
                " other service writes to, or set HISTORY=off"
            ) from exc

    return open_history
