"""The port `History` on one SQLite file.

Write-ahead log, and each write is on the disk before it returns: `kill -9` loses nothing that was
written, and leaves nothing half written. One service writes at a time. Whoever reads has a
connection of its own for each call, so that no reader ever waits for a writer.
"""

import os
import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history import file
from dstack_backend.adapters.sqlite_history.rows import Row, entry_of_row, row_of, time_of
from dstack_backend.domain.history import CLOCKS_ARE_SET, HistoryEntry, HistoryError

__all__ = ["SqliteHistory", "SqliteReader"]

BETWEEN = """
SELECT * FROM entry
WHERE number >= coalesce(
    (SELECT max(number) FROM entry WHERE at >= :clocks_are_set AND at < :since), 0)
AND number <= (SELECT max(number) FROM entry WHERE at >= :clocks_are_set AND at < :until)
ORDER BY number
"""

LATEST = """
SELECT * FROM entry
WHERE (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
AND (:before IS NULL OR number < :before)
ORDER BY number DESC LIMIT :limit
"""


_SET = {"clocks_are_set": CLOCKS_ARE_SET.timestamp()}


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
            row = connection.execute("SELECT at FROM alive").fetchone()
            return time_of(row[0]) if row else None

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Give the entries of a time in the order of writing, and the last one before it."""
        window = {"since": since.timestamp(), "until": until.timestamp()} | _SET
        return self._entries(BETWEEN, window)

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
            LATEST,
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
            with closing(file.open_for_reading(self._folder)) as connection:
                yield connection
        except sqlite3.Error as exc:
            self._suspect(exc)
            raise HistoryError(file.why(exc)) from exc
        except (OSError, OverflowError, ValueError) as exc:
            raise HistoryError("a row of the file makes no sense") from exc

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
        self._corrupt = False
        try:
            self._claim = file.claim(folder)
        except OSError as exc:
            raise HistoryError(file.why(exc)) from exc
        try:
            with self._writing():
                pass
        except BaseException:
            os.close(self._claim)
            raise

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Write entries, and that we run, in one transaction."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO entry (at, before, after, reason, sentence) VALUES (?, ?, ?, ?, ?)",
                [row_of(entry) for entry in entries],
            )
            connection.execute(
                "INSERT INTO alive VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
                (alive_at.timestamp(),),
            )

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget what is old or too much."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM entry WHERE number < (SELECT max(number) FROM entry"
                " WHERE at >= :clocks_are_set AND at < :older_than)",
                {"older_than": older_than.timestamp()} | _SET,
            )
            connection.execute(
                "DELETE FROM entry WHERE number <="
                " (SELECT number FROM entry ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (most,),
            )

    def close(self) -> None:
        """Close the file, and leave it to others."""
        with self._lock:
            self._disconnect()
            os.close(self._claim)

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection, None, None]:
        if self._corrupt:
            with self._writing():
                pass  # but what mends it
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
                raise HistoryError(file.why(exc)) from exc
            except OSError as exc:
                raise HistoryError(file.why(exc)) from exc

    def _connected(self) -> sqlite3.Connection:
        if self._corrupt:  # opening it anew checks it
            self._disconnect()
        if self._connection is None:
            self._connection = self._open()
            self._corrupt = False
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            return file.open_for_writing(self._folder)
        except sqlite3.Error as exc:
            if not file.is_corrupt(self._folder, exc):
                raise
        file.set_aside(self._folder)
        return file.open_for_writing(self._folder)

    def _suspect(self, exc: sqlite3.Error) -> None:
        self._corrupt = self._corrupt or file.is_corrupt(self._folder, exc)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
