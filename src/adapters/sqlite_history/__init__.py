"""The past in a file, with the standard library's SQLite."""

from dstack_backend.adapters.sqlite_history.store import SqliteHistory

__all__ = ["SqliteHistory"]
