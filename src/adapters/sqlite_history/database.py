"""The file `history.sqlite`: locked for one writer, opened, quarantined when unusable."""

import fcntl
import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history.errors import CorruptError, OtherSchemaError, error_code
from dstack_backend.adapters.sqlite_history.migrations import migrate, version_of

__all__ = [
    "FILE",
    "FileState",
    "acquire_lock",
    "file_states",
    "open_beside_writer",
    "open_for_reading",
    "open_for_writing",
    "quarantine",
]

_log = logging.getLogger(__name__)

FILE = "history.sqlite"
LOCK = "history.lock"

LOCK_TIMEOUT = 0.2
"""Seconds. What cannot be written now is tried again anyway."""

WAL_PAGES = 100
"""Pages (of 4 KB) of the write-ahead log after which its content goes into the file."""

MAX_WAL_SIZE = 500_000
"""Bytes that the write-ahead log keeps after that."""

MAX_QUARANTINED = 10
"""Unusable files that are kept. More of them mean a broken disk, which must not fill up as well."""

TABLES = (
    "SELECT number, kind, at, before, after, reason, gap, message FROM entry LIMIT 0",
    "SELECT slot, product_id, model, last_seen FROM entry LIMIT 0",
    "SELECT only_row, at FROM alive LIMIT 0",
    "SELECT only_row, state FROM gpus LIMIT 0",
    "SELECT period, slots FROM gpu_use LIMIT 0",
    "SELECT slot FROM forget_request LIMIT 0",
)

FileState = tuple[int, int, int]
"""Device, number and size of a file; zeros where there is none."""


def acquire_lock(folder: Path) -> int:
    """Create the folder, lock it for one writer, and return the descriptor that holds the lock.

    Raises:
        OSError: It cannot be created, or another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        if isinstance(exc, BlockingIOError):
            raise BlockingIOError(exc.errno, "another dstack-backend writes there") from None
        raise
    return descriptor


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """Open the file, or create one. Each write is on the disk before it returns."""
    connection = _connect(folder, "mode=rwc")
    try:
        version_of(connection)  # before anything is done to a file of a newer version
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_SIZE}")
        _check_integrity(connection)
        migrate(connection)
        _check_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_beside_writer(folder: Path) -> sqlite3.Connection:
    """Open the existing file beside its writer, to write to a table that is not the writer's."""
    return _open_checked(folder, "mode=rw")


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the file beside its writer. Neither waits for the other."""
    try:
        return _open_checked(folder, "mode=ro")
    except sqlite3.OperationalError as exc:
        # Reading creates two files beside it, which may be impossible. Without a log to read and a
        # writer, neither is needed.
        if error_code(exc) == sqlite3.SQLITE_BUSY or _state(folder / f"{FILE}-wal")[2]:
            raise
    return _open_checked(folder, "mode=ro&immutable=1")


def _open_checked(folder: Path, parameters: str) -> sqlite3.Connection:
    connection = _connect(folder, parameters)
    try:
        if version_of(connection):
            _check_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def quarantine(folder: Path, exc: sqlite3.Error) -> None:
    """Rename the file and what belongs to it, so that a new one can be created.

    Raises:
        OSError: It cannot be renamed, or too many files are in quarantine.
    """
    if len(list(folder.glob(f"{FILE}.*-*Z"))) >= MAX_QUARANTINED:
        raise OSError(None, f"{MAX_QUARANTINED} unusable files are set aside there; check the disk")
    is_old = isinstance(exc, OtherSchemaError)
    name = f"{FILE}.{'old' if is_old else 'corrupt'}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    for end in ("-wal", "-shm", ""):
        part = folder / (FILE + end)
        if part.exists():
            part.rename(folder / (name + end))
    fault = "has the schema of a development version" if is_old else "is corrupt"
    _log.warning("the history file %s: it was renamed to %s, a new one is created", fault, name)


def file_states(folder: Path) -> list[FileState]:
    """Return which file each is, and its size: the lock, the file, and what belongs to it."""
    return [_state(folder / name) for name in (LOCK, FILE, f"{FILE}-wal", f"{FILE}-shm")]


def _state(path: Path) -> FileState:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, 0, 0
    return found.st_dev, found.st_ino, found.st_size


def _check_integrity(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise CorruptError("the file is corrupt")


def _check_tables(connection: sqlite3.Connection) -> None:
    try:
        for query in TABLES:
            connection.execute(query)
    except sqlite3.OperationalError as exc:
        if error_code(exc) == sqlite3.SQLITE_ERROR:
            raise OtherSchemaError("the file has another schema") from exc
        raise


def _connect(folder: Path, parameters: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{(folder / FILE).absolute().as_uri()}?{parameters}",
        uri=True,
        timeout=LOCK_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = _decode
    return connection


def _decode(text: bytes) -> str:
    return text.decode(errors="replace")  # a damaged byte costs only its own letter
