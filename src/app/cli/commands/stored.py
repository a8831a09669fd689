"""The history that the service has stored, as the commands read it."""

from pathlib import Path

from dstack_backend.adapters.sqlite_history import FILE, read_history
from dstack_backend.app.errors import UserError
from dstack_backend.domain.formatting import escape
from dstack_backend.domain.history import HistoryError, StoredHistory

__all__ = ["read_stored"]


def read_stored(folder: Path | None) -> StoredHistory:
    """Return the history in a folder, whether a service writes to it or not.

    Raises:
        UserError: There is no history, or it cannot be read.
    """
    try:
        return _read(folder)
    except HistoryError as exc:
        fault = f"there is no history to show: {exc}"
        raise UserError("", fault, exit_code=1) from None


def _read(folder: Path | None) -> StoredHistory:
    if folder is None:
        raise HistoryError("with HISTORY=off none is kept on disk")
    try:
        (folder / FILE).stat()
    except OSError as exc:
        fault = (exc.strerror or "failed").lower()
        raise HistoryError(f"{FILE} in DATA_DIR={escape(str(folder))}: {fault}") from exc
    stored = read_history(folder)
    if not stored.entries and stored.alive_at is None:
        raise HistoryError("nothing is written yet")
    return stored
