"""A history store in a file, with the standard library's SQLite."""

from dstack_backend.adapters.sqlite_history.database import FILE
from dstack_backend.adapters.sqlite_history.store import SqliteHistory, read_history, request_forget

__all__ = ["FILE", "SqliteHistory", "read_history", "request_forget"]
