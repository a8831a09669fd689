"""Tries whether a service could save its history, and changes nothing."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from dstack_backend.adapters.sqlite_history import database as db
from dstack_backend.adapters.sqlite_history.errors import error_text
from dstack_backend.adapters.sqlite_history.store import read_history
from dstack_backend.domain.history import HistoryError

__all__ = ["try_history"]


def try_history(folder: Path) -> bool:
    """Lock, open and check the history of a folder as a service does at its start, and close it.

    Return whether another service has locked it; then it is only read. A corrupt file is not
    quarantined. Where the file or its lock does not exist yet, nothing is created in its place, as
    the service may run as another user: a temporary folder is used.

    Raises:
        HistoryError: What a service would meet.
    """
    try:
        existing = next(part for part in (folder, *folder.absolute().parents) if _exists(part))
        existing.mkdir(exist_ok=True)  # raises where it is not a folder
        if _exists(folder / db.FILE) and _exists(folder / db.LOCK):
            return _is_locked(folder)
        with TemporaryDirectory(prefix=".dstack-backend-", dir=existing) as temporary:
            _open(Path(temporary))
    except (sqlite3.Error, OSError) as exc:
        raise HistoryError(error_text(exc)) from exc
    return False


def _exists(path: Path) -> bool:
    with suppress(FileNotFoundError):  # a service would meet every other error as well
        return bool(path.lstat())
    return False


def _is_locked(folder: Path) -> bool:
    try:
        _open(folder)
    except BlockingIOError:
        read_history(folder)
        return True
    return False


def _open(folder: Path) -> None:
    lock = db.acquire_lock(folder)
    try:
        with closing(db.open_for_writing(folder)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    finally:
        os.close(lock)
