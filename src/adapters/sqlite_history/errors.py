"""What an error of SQLite means: whether it passes, whether the file is unusable, its text."""

import sqlite3
from pathlib import Path

from dstack_backend.adapters.sqlite_history.migrations import NewerFileError

__all__ = [
    "CorruptError",
    "OtherSchemaError",
    "error_code",
    "error_text",
    "is_transient",
    "is_unusable",
]

TRANSIENT = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)
CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class CorruptError(sqlite3.DatabaseError):
    """SQLite's own check found a fault."""


class OtherSchemaError(sqlite3.DatabaseError):
    """The file has other tables than this version creates."""


def is_unusable(path: Path, exc: sqlite3.Error) -> bool:
    """Return whether an error means that the file at a path will never be usable."""
    known = isinstance(exc, (CorruptError, OtherSchemaError)) or error_code(exc) in CORRUPT
    return known or _is_folder(path)


def is_transient(exc: sqlite3.Error) -> bool:
    """Return whether an error passes, and the open connection stays good.

    A write that a quota or a limit refuses is one, though SQLite does not count it as a full disk.
    """
    refused = getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_WRITE
    return refused or error_code(exc) in TRANSIENT


def error_text(exc: Exception) -> str:
    """Return the reason in one line, without a path and without anything that is in the file."""
    if isinstance(exc, OSError):
        return (exc.strerror or "failed").lower()
    if error_code(exc) == sqlite3.SQLITE_CORRUPT:
        return "the file is corrupt"  # SQLite may quote from it
    if error_code(exc) or isinstance(exc, (CorruptError, OtherSchemaError, NewerFileError)):
        return str(exc)
    return "the file cannot be used"  # Python's own errors quote the text that they cannot decode


def error_code(exc: Exception) -> int:
    """Return SQLite's code of an error, without the extended part; 0 where it has none."""
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # Python 3.11 raises where the path may not be read
        return False
