"""The file `history.sqlite` of a folder: opened, claimed for one writer, set aside when corrupt."""

import fcntl
import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from dstack_backend.adapters.sqlite_history.migrations import NewerFileError, migrate, version_of

__all__ = [
    "FILE",
    "FileIds",
    "acquire_lock",
    "error_text",
    "file_ids",
    "is_corrupt",
    "is_transient",
    "open_for_reading",
    "open_for_writing",
    "quarantine",
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

TABLES = (
    "SELECT number, at, before, after, reason, gap, message FROM entry LIMIT 0",
    "SELECT only_row, at FROM alive LIMIT 0",
)

PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)
"""Errors that say nothing against the file, nor against a connection to it that is open. So it is
with a write that a quota or a limit refuses, which SQLite does not count as a full disk."""

CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


FileIds = tuple[tuple[int, int] | None, ...]
"""Which files have our names: device and number of each, `None` where there is none."""


class _CorruptError(sqlite3.DatabaseError):
    """SQLite's own check found a fault."""


def acquire_lock(folder: Path) -> int:
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
        _check_tables(connection)
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


def quarantine(folder: Path) -> None:
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
    return isinstance(exc, _CorruptError) or _code(exc) in CORRUPT or _is_folder(folder / FILE)


def is_transient(exc: sqlite3.Error) -> bool:
    """Say whether an error goes away by itself."""
    refused = getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_WRITE
    return refused or _code(exc) in PASSING


def file_ids(folder: Path) -> FileIds:
    """Say which files these are, to notice when others take their places.

    Raises:
        OSError: Nobody can say.
    """
    return tuple(_which(folder / name) for name in (LOCK, FILE, f"{FILE}-wal", f"{FILE}-shm"))


def error_text(exc: Exception) -> str:
    """Give the reason in one line, without a path and without anything that is in the file."""
    if isinstance(exc, OSError):
        return (exc.strerror or "failed").lower()
    if _code(exc) == sqlite3.SQLITE_CORRUPT:
        return "the file is corrupt"  # SQLite may quote from it
    if _code(exc) or isinstance(exc, (_CorruptError, NewerFileError)):
        return str(exc)
    return "the file cannot be used"  # Python's own errors quote what they stumble over


def _code(exc: Exception) -> int:
    code = getattr(exc, "sqlite_errorcode", 0)
    return int(code) & 0xFF  # without the extended part


def _which(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # 3.11 raises where it may not look
        return False


def _check(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise _CorruptError("the file is corrupt")


def _check_tables(connection: sqlite3.Connection) -> None:
    try:
        for query in TABLES:
            connection.execute(query)
    except sqlite3.OperationalError as exc:
        if _code(exc) == sqlite3.SQLITE_ERROR:
            raise _CorruptError("the file lacks a table of ours") from exc
        raise


def _connect(folder: Path, parameters: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{(folder / FILE).absolute().as_uri()}?{parameters}",
        uri=True,
        timeout=WAIT_FOR_LOCK,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = _text
    return connection


def _text(found: bytes) -> str:
    return found.decode(errors="replace")  # a damaged byte costs its own letter
