"""A history store in one SQLite file.

Write-ahead log, and each write is on the disk before it returns: `kill -9` loses nothing that was
written and leaves nothing half-written. One service writes at a time.
"""

import os
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history import database, rows
from dstack_backend.adapters.sqlite_history import gpus as gpu_tables
from dstack_backend.adapters.sqlite_history.errors import error_text, is_transient, is_unusable
from dstack_backend.domain.history import (
    EntryGroup,
    GpuUpdate,
    HistoryConflict,
    HistoryEntry,
    HistoryError,
    StoredHistory,
)

__all__ = ["SqliteHistory", "read_history", "request_forget"]


def read_history(folder: Path) -> StoredHistory:
    """Return the history of a folder, whether a service writes to it or not.

    Raises:
        HistoryError: It cannot be read now.
    """
    try:
        with closing(database.open_for_reading(folder)) as connection:
            return _load(connection)
    except (sqlite3.Error, OSError) as exc:
        raise HistoryError(error_text(exc)) from exc


def request_forget(folder: Path, slot: str) -> None:
    """Ask the service that writes to a folder, or the next one, to forget missing GPUs of a slot.

    Raises:
        HistoryError: It cannot be written now.
    """
    try:
        with closing(database.open_beside_writer(folder)) as connection:
            gpu_tables.request_forget(connection, slot)
    except (sqlite3.Error, OSError) as exc:
        raise HistoryError(error_text(exc)) from exc


def _load(connection: sqlite3.Connection) -> StoredHistory:
    alive = connection.execute(rows.ALIVE).fetchone()
    entries = tuple(map(rows.entry_from_row, connection.execute(rows.ENTRIES, (rows.ALL_KINDS,))))
    return StoredHistory(
        entries,
        rows.time_from(alive[0]) if alive else None,
        gpu_tables.load_gpus(connection),
        gpu_tables.load_use(connection),
        gpu_tables.load_forget_requests(connection),
    )


class SqliteHistory:
    """Implements `HistoryStore` with `history.sqlite` in a folder."""

    def __init__(self, folder: Path) -> None:
        """Open the file, or create it and its folder. An unusable file is quarantined.

        Raises:
            HistoryError: It can be neither opened nor created, or another service writes to it.
        """
        self._folder = folder
        self._connection: sqlite3.Connection | None = None
        self._states: list[database.FileState] = []
        self._lock: int | None = None
        self._is_suspect = False
        self._is_closed = False
        try:
            with self._transaction():
                pass
        except BaseException:
            self._release()
            raise

    def load(self) -> StoredHistory:
        """Return what is saved."""
        with self._transaction() as connection:
            return _load(connection)

    def append(
        self,
        entries: Sequence[HistoryEntry],
        alive_at: datetime,
        after: HistoryEntry | None,
        *,
        oldest: Mapping[EntryGroup, int] | None = None,
        gpus: GpuUpdate | None = None,
    ) -> None:
        """Save entries and that the service is running, in one transaction."""
        with self._transaction() as connection:
            if not rows.is_same(connection.execute(rows.LAST, (rows.ALL_KINDS,)).fetchone(), after):
                raise HistoryConflict("the file does not end with the entry that was saved last")
            connection.executemany(rows.INSERT, map(rows.row_from_entry, entries))
            for group, number in (oldest or {}).items():
                connection.execute(rows.DELETE_OLD, (number, rows.KINDS[group]))
            if gpus:
                gpu_tables.save_gpus(connection, gpus)
            connection.execute(rows.SET_ALIVE, (alive_at.timestamp(),))

    def forget_requests(self) -> Sequence[str]:
        """Return the slots of missing GPUs that an operator wants to be forgotten."""
        with self._transaction() as connection:
            return gpu_tables.load_forget_requests(connection)

    def close(self) -> None:
        """Close the file, and release the lock."""
        self._is_closed = True
        self._release()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        try:
            connection = self._connected()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
        except (sqlite3.Error, OSError) as exc:
            if isinstance(exc, sqlite3.Error) and not is_transient(exc):
                self._is_suspect = True
            raise HistoryError(error_text(exc)) from exc
        finally:
            with suppress(OSError):
                found = database.file_states(self._folder)
                # The sizes of now, but the files of when they were opened.
                states = zip(self._states, found, strict=False)
                self._states = [(*known[:2], now[2]) for known, now in states]

    def _connected(self) -> sqlite3.Connection:
        """Return the connection to the file that is in the folder now. Opening it checks it."""
        if self._is_closed:
            raise HistoryError("it is closed")
        if self._connection is None or self._is_suspect or self._is_replaced():
            self._release()
            self._lock = database.acquire_lock(self._folder)
            self._connection = self._open()
            self._states = database.file_states(self._folder)
            self._is_suspect = False
        return self._connection

    def _is_replaced(self) -> bool:
        """Return whether a file is another one, or became smaller without a transaction."""
        with suppress(OSError):  # where the folder cannot be read any more, the open file is good
            states = zip(database.file_states(self._folder), self._states, strict=True)
            return any(found[:2] != known[:2] or found[2] < known[2] for found, known in states)
        return False

    def _open(self) -> sqlite3.Connection:
        try:
            return database.open_for_writing(self._folder)
        except sqlite3.Error as exc:
            if not is_unusable(self._folder / database.FILE, exc):
                raise
            database.quarantine(self._folder, exc)
        return database.open_for_writing(self._folder)

    def _release(self) -> None:
        connection, lock = self._connection, self._lock
        self._connection, self._lock = None, None
        try:
            if connection is not None:
                connection.close()
        finally:
            if lock is not None:
                os.close(lock)
