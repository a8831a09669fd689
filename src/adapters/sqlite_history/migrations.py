"""The schema, as the steps that lead to it. A step that was released is never changed.

`PRAGMA user_version` holds how many steps a file has behind it.
"""

import sqlite3

__all__ = ["MIGRATIONS", "migrate"]

MIGRATIONS = (
    """
    CREATE TABLE entry (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,       -- seconds since 1970, UTC
        before TEXT,            -- a status, or NULL: nobody looked
        after TEXT,             -- a status, or NULL: we were not running
        reason TEXT,
        sentence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entry_at ON entry (at);
    CREATE TABLE alive (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), at REAL NOT NULL) STRICT;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to date, each step whole or not at all.

    Raises:
        sqlite3.Error: It cannot be.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise sqlite3.NotSupportedError("the file is from a newer version")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;"
        )
