"""Opens the past: a file where it can be kept, memory where it cannot or shall not."""

import logging
from collections.abc import Callable
from pathlib import Path

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain.history import HistoryError
from dstack_backend.domain.ports import History

__all__ = ["opener"]

_log = logging.getLogger(__name__)


def opener(folder: Path | None) -> Callable[[], History]:
    """Make what opens the past in a folder; `None` keeps it in memory only.

    A folder that cannot be used is no reason not to serve: it is said in the log, and the past is
    then kept in memory.
    """

    def open_history() -> History:
        if folder is None:
            return MemoryHistory()
        try:
            return SqliteHistory(folder)
        except HistoryError as exc:
            _log.warning(
                "no history is kept on disk: DATA_DIR cannot be used (%s); name a folder that this"
                " user can write to, or set HISTORY=off",
                exc,
            )
            return MemoryHistory()

    return open_history
