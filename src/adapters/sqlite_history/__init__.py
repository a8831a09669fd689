"""The past in a file, with the standard library's SQLite."""

from dstack_backend.adapters.sqlite_history.database import FILE
from dstack_backend.adapters.sqlite_history.store import SqliteHistory, SqliteReader

__all__ = ["FILE", "SqliteHistory", "SqliteReader"]
