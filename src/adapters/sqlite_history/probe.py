"""Tries whether a service could save its history, and changes nothing."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from dstack_backend.adapters.sqlite_history.database import (
    FILE,
    LOCK,
    acquire_lock,
    open_for_writing,
)
from dstack_backend.adapters.sqlite_history.errors import error_text
from dstack_backend.domain.history import HistoryError

__all__ = ["try_history"]


def try_history(folder: Path) -> None:
    """Lock, open and check the history of a folder as a service does at its start, and close it.

    A corrupt file is not quarantined. Where the file or its lock does not exist yet, nothing is
    created in its place, as the service may run as another user: a temporary folder is used.

    Raises:
        HistoryError: What a service would meet. It is raised from `BlockingIOError` where another
            service has locked the history.
    """
    try:
        parts = (folder, *folder.absolute().parents)
        existing = next(part for part in parts if _exists(part))
        existing.mkdir(exist_ok=True)  # raises where it is not a folder
        if _exists(folder / FILE) and _exists(folder / LOCK):
            _open(folder)
            return
        with TemporaryDirectory(prefix=".dstack-backend-", dir=existing) as temporary:
            _open(Path(temporary))
    except (sqlite3.Error, OSError) as exc:
        raise HistoryError(error_text(exc)) from exc


def _exists(path: Path) -> bool:
    try:
        path.lstat()  # every other error is one that a service would meet as well
    except FileNotFoundError:
        return False
    return True


def _open(folder: Path) -> None:
    lock = acquire_lock(folder)
    try:
        with closing(open_for_writing(folder)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    finally:
        os.close(lock)
