"""The file `history.sqlite` of a folder: opened, claimed for one writer, set aside when corrupt."""

import fcntl
import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history.migrations import migrate, version_of

__all__ = [
    "FILE",
    "claim",
    "is_corrupt",
    "open_for_reading",
    "open_for_writing",
    "set_aside",
    "why",
]

_log = logging.getLogger(__name__)

FILE = "history.sqlite"
LOCK = "history.lock"

WAIT_FOR_LOCK = 0.2
"""Seconds. What cannot be written now is tried again anyway."""

LOG_PAGES = 100
"""Pages (of 4 KB) of the write-ahead log after which its content goes into the file."""

LARGEST_LOG = 500_000
"""Bytes that the write-ahead log keeps after that."""

MOST_SET_ASIDE = 10
"""Corrupt files that are kept. More of them mean a broken disk, which shall not fill up as well."""

CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _CorruptError(sqlite3.DatabaseError):
    """SQLite's own check found a fault."""


def claim(folder: Path) -> int:
    """Make the folder, and claim it for one writer; give the descriptor that holds the claim.

    Raises:
        OSError: It cannot be made, or somebody else has claimed it.
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
    """Open the file, or begin one. Each write is on the disk before it returns.

    Raises:
        sqlite3.Error: It can be neither opened nor begun.
    """
    connection = _connect(folder, "mode=rwc")
    try:
        version_of(connection)  # before anything is done to a file of a newer version
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG}")
        _check(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the file beside its writer, which neither waits for us nor we for it.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    # Reading needs two files beside it, which nobody can make in a folder that is read-only.
    may_write = os.access(folder, os.W_OK, effective_ids=True)
    alone = not may_write and not (folder / f"{FILE}-wal").exists()
    connection = _connect(folder, "mode=ro&immutable=1" if alone else "mode=ro")
    try:
        version_of(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def set_aside(folder: Path) -> None:
    """Give the corrupt file, and what belongs to it, another name.

    Raises:
        OSError: It cannot be.
    """
    if len(list(folder.glob(f"{FILE}.corrupt-*Z"))) >= MOST_SET_ASIDE:
        raise OSError(
            None, f"{MOST_SET_ASIDE} corrupt files are set aside there; is the disk well?"
        )
    name = f"{FILE}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    for end in ("-wal", "-shm", ""):
        part = folder / (FILE + end)
        if part.exists():
            part.rename(folder / (name + end))
    _log.warning("the history is corrupt: set aside as %s, a new one begun", name)


def is_corrupt(folder: Path, exc: sqlite3.Error) -> bool:
    """Say whether an error means that the file is no usable one, and never will be."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    return isinstance(exc, _CorruptError) or code in CORRUPT or (folder / FILE).is_dir()


def why(exc: Exception) -> str:
    """Give the reason in one line, without a path."""
    if isinstance(exc, OSError):
        return (exc.strerror or "failed").lower()
    return str(exc)


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise _CorruptError("the file is corrupt")


def _connect(folder: Path, parameters: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{(folder / FILE).absolute().as_uri()}?{parameters}",
        uri=True,
        timeout=WAIT_FOR_LOCK,
        isolation_level=None,
        check_same_thread=False,
    )
