"""The port `History` on one SQLite file.

Write-ahead log, and each write is on the disk before it returns: `kill -9` loses nothing that was
written, and leaves nothing half written. A file that is corrupt is set aside, and a new one begun.
"""

import logging
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history.migrations import migrate
from dstack_backend.domain.failure import Reason
from dstack_backend.domain.history import HistoryEntry, HistoryError
from dstack_backend.domain.status import Status

__all__ = ["SqliteHistory"]

_log = logging.getLogger(__name__)

FILE = "history.sqlite"

WAIT_FOR_LOCK = 5.0
"""Seconds; only a backup or another instance ever holds the lock."""

CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class SqliteHistory:
    """Keeps entries in `history.sqlite` of a folder. One call at a time, from any thread."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Open the file, or begin one.

        Args:
            folder: Where the file is; it is made if it is not there.
            read_only: Only read, for somebody who looks while the service writes.

        Raises:
            HistoryError: It can be neither opened nor begun.
        """
        self._path = folder / FILE
        self._read_only = read_only
        self._lock = threading.Lock()
        try:
            if not read_only:
                folder.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = self._open()
            except sqlite3.DatabaseError as exc:
                if read_only or not _is_corrupt(exc):
                    raise
                self._set_aside()
                self._connection = self._open()
        except (OSError, sqlite3.Error) as exc:
            raise HistoryError(_why(exc)) from exc

    def append(self, entries: Sequence[HistoryEntry], alive_at: datetime) -> None:
        """Write entries, and that we run, in one transaction."""
        rows = [
            (entry.at.timestamp(), entry.before, entry.after, entry.reason, entry.sentence)
            for entry in entries
        ]
        with self._use() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO entry (at, before, after, reason, sentence) VALUES (?, ?, ?, ?, ?)",
                rows,
            )
            connection.execute(
                "INSERT INTO alive VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
                (alive_at.timestamp(),),
            )

    def alive_at(self) -> datetime | None:
        """Give when we were last known to run."""
        with self._use() as connection:
            row = connection.execute("SELECT at FROM alive").fetchone()
        return datetime.fromtimestamp(row[0], UTC) if row else None

    def between(self, since: datetime, until: datetime) -> list[HistoryEntry]:
        """Give the entries of a time in the order of writing, and the last one before it."""
        with self._use() as connection:
            rows = connection.execute(
                "SELECT * FROM entry WHERE at >= :since AND at < :until OR number ="
                " (SELECT max(number) FROM entry WHERE at < :since) ORDER BY number",
                {"since": since.timestamp(), "until": until.timestamp()},
            ).fetchall()
        return [_entry(row) for row in rows]

    def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
        with self._use() as connection:
            rows = connection.execute(
                "SELECT * FROM entry WHERE (:since IS NULL OR at >= :since)"
                " AND (:until IS NULL OR at < :until) AND (:before IS NULL OR number < :before)"
                " ORDER BY number DESC LIMIT :limit",
                {
                    "since": since.timestamp() if since else None,
                    "until": until.timestamp() if until else None,
                    "before": before,
                    "limit": limit,
                },
            ).fetchall()
        return [_entry(row) for row in rows]

    def prune(self, older_than: datetime, most: int) -> None:
        """Forget what is old or too much."""
        with self._use() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "DELETE FROM entry WHERE number < (SELECT max(number) FROM entry WHERE at < ?)",
                (older_than.timestamp(),),
            )
            connection.execute(
                "DELETE FROM entry WHERE number <="
                " (SELECT number FROM entry ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (most,),
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        mode = "ro" if self._read_only else "rwc"
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=WAIT_FOR_LOCK,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if not self._read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                _check(connection)
                migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        aside = self._path.with_name(f"{FILE}.corrupt-{stamp}")
        for end in ("-wal", "-shm"):
            beside = self._path.with_name(FILE + end)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + end))
        self._path.rename(aside)
        _log.warning("the history is corrupt: set aside as %s, a new one begun", aside.name)

    @contextmanager
    def _use(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as exc:
                if not self._read_only and _is_corrupt(exc):
                    self._begin_anew()
                raise HistoryError(_why(exc)) from exc

    def _begin_anew(self) -> None:
        self._connection.close()
        try:
            self._set_aside()
            self._connection = self._open()
        except (OSError, sqlite3.Error) as exc:
            raise HistoryError(_why(exc)) from exc


class _Corrupt(sqlite3.DatabaseError):
    """SQLite's own check found a fault."""


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _Corrupt(verdict)


def _is_corrupt(exc: sqlite3.Error) -> bool:
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    return isinstance(exc, _Corrupt) or code in CORRUPT


def _why(exc: Exception) -> str:
    if isinstance(exc, OSError):
        return (exc.strerror or "failed").lower()
    return str(exc)


def _entry(row: tuple[int, float, str | None, str | None, str | None, str]) -> HistoryEntry:
    number, at, before, after, reason, sentence = row
    return HistoryEntry(
        at=datetime.fromtimestamp(at, UTC),
        before=Status(before) if before else None,
        after=Status(after) if after else None,
        reason=Reason(reason) if reason else None,
        sentence=sentence,
        number=number,
    )
