"""The port `History` on one SQLite file.

Write-ahead log, and each write is on the disk before it returns: `kill -9` loses nothing that was
written, and leaves nothing half written. One service writes at a time. Whoever reads has a
connection of its own for each call, so that no reader ever waits for a writer.
"""

import os
import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history import database, queries
from dstack_backend.adapters.sqlite_history.rows import Row, entry_of_row, row_of, time_of
from dstack_backend.domain.history.entry import MIN_VALID_TIME, HistoryEntry, HistoryError

__all__ = ["SqliteHistory", "SqliteReader"]

_SET = {"clocks_are_set": MIN_VALID_TIME.timestamp()}


class SqliteReader:
    """Reads the history of a folder, from any thread, whether a service writes it or not."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder; nothing is opened yet."""
        self._folder = folder

    def alive_at(self) -> datetime | None:
        """Give when the service was last known to run.

        Raises:
            HistoryError: The past cannot be read now. So it is with all that read.
        """
        with self._reading() as connection:
            row = connection.execute(queries.ALIVE).fetchone()
            return time_of(row[0]) if row else None

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Give the entries of a time in the order of writing, and the last one before it."""
        window = {"since": since.timestamp(), "until": until.timestamp()}
        return self._entries(queries.BETWEEN, window | _SET)

    def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
        return self._entries(
            queries.LATEST,
            {
                "since": since.timestamp() if since else None,
                "until": until.timestamp() if until else None,
                "before": before,
                "limit": limit,
            },
        )

    def _entries(self, query: str, values: Mapping[str, float | int | None]) -> list[HistoryEntry]:
        with self._reading() as connection:
            rows: list[Row] = connection.execute(query, values).fetchall()
            return [entry_of_row(row) for row in rows]

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        try:
            with closing(database.open_for_reading(self._folder)) as connection:
                yield connection
        except sqlite3.Error as exc:
            self._suspect(exc)
            raise HistoryError(database.error_text(exc)) from exc
        except OSError as exc:
            raise HistoryError(database.error_text(exc)) from exc

    def _suspect(self, exc: sqlite3.Error) -> None:
        """Take note of an error; whoever only reads can do nothing about it."""


class SqliteHistory(SqliteReader):
    """Keeps entries in `history.sqlite` of a folder."""

    def __init__(self, folder: Path) -> None:
        """Open the file, or begin one. A file that is corrupt is set aside.

        Args:
            folder: Where the file is; it is made if it is not there.

        Raises:
            HistoryError: It can be neither opened nor begun, or another service writes it.
        """
        super().__init__(folder)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: database.FileIds | None = None
        self._claim: int | None = None
        self._is_doubtful = False
        self._is_closed = False
        try:
            with self._writing():
                pass
        except BaseException:
            self._let_go()
            raise

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Write entries, and that we run, in one transaction."""
        with self._writing() as connection:
            connection.executemany(queries.APPEND, [row_of(entry) for entry in entries])
            connection.execute(queries.SET_ALIVE, (alive_at.timestamp(),))

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget what is old or too much."""
        with self._writing() as connection:
            connection.execute(queries.TOO_OLD, {"older_than": older_than.timestamp()} | _SET)
            connection.execute(queries.TOO_MANY, {"most": most})

    def close(self) -> None:
        """Close the file, and leave it to others."""
        with self._lock:
            self._is_closed = True
            self._let_go()

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        if self._is_doubtful or self._is_moved():
            with suppress(HistoryError), self._writing():
                pass  # but what mends it, if it can be
        with super()._reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            try:
                connection = self._connected()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
            except sqlite3.Error as exc:
                self._suspect(exc)
                raise HistoryError(database.error_text(exc)) from exc
            except OSError as exc:
                raise HistoryError(database.error_text(exc)) from exc

    def _connected(self) -> sqlite3.Connection:
        """Give the connection to the file that is in the folder now; opening it anew checks it."""
        if self._is_closed:
            raise HistoryError("it is closed")  # a reader may be late; nothing is opened for it
        if self._connection is None or self._is_doubtful or self._is_moved():
            self._let_go()
            self._claim = database.acquire_lock(self._folder)
            self._connection = self._open()
            self._opened = database.file_ids(self._folder)
            self._is_doubtful = False
        return self._connection

    def _is_moved(self) -> bool:
        with suppress(OSError):  # where nobody may look any more, what is open is still good
            return self._opened != database.file_ids(self._folder)
        return False

    def _open(self) -> sqlite3.Connection:
        try:
            return database.open_for_writing(self._folder)
        except sqlite3.Error as exc:
            if not database.is_corrupt(self._folder, exc):
                raise
        database.quarantine(self._folder)
        return database.open_for_writing(self._folder)

    def _suspect(self, exc: sqlite3.Error) -> None:
        self._is_doubtful = self._is_doubtful or not database.is_transient(exc)

    def _let_go(self) -> None:
        connection, acquire_lock = self._connection, self._claim
        self._connection, self._claim = None, None
        try:
            if connection is not None:
                connection.close()
        finally:
            if acquire_lock is not None:
                os.close(acquire_lock)
