"""Opens the store of the history: a file, or memory only."""

from collections.abc import Callable
from pathlib import Path

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain.history import HistoryError
from dstack_backend.domain.ports import HistoryStore

__all__ = ["opener"]


def opener(folder: Path | None) -> Callable[[], HistoryStore]:
    """Return a function that opens the store in a folder; `None` keeps the history in memory only.

    The function raises `HistoryError`, with what to do, where the folder cannot be used.
    """
    if folder is None:
        memory = MemoryHistory()
        return lambda: memory
    return lambda: _open(folder)


def _open(folder: Path) -> HistoryStore:
    try:
        return SqliteHistory(folder)
    except HistoryError as exc:
        raise HistoryError(
            f"DATA_DIR cannot be used ({exc}); set it to a folder that this user can write to"
            " and no other service uses, or set HISTORY=off"
        ) from exc
