"""The schema, as steps. A released step is never changed; `user_version` counts the steps done."""

import sqlite3
from collections.abc import Sequence

__all__ = ["MIGRATIONS", "NewerFileError", "migrate", "version_of"]

MIGRATIONS = (
    (
        # `at`, `last_seen`: seconds since 1970. What a kind of entry does not have is NULL.
        """
        CREATE TABLE entry (
            number INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            at REAL NOT NULL,
            before TEXT,
            after TEXT,
            reason TEXT,
            gap TEXT,
            slot TEXT,
            product_id TEXT,
            model TEXT,
            last_seen REAL,
            message TEXT NOT NULL
        )
        """,
        "CREATE TABLE alive (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), at REAL NOT NULL)",
        # `state` and `slots` are JSON: `StoredGpus`, and the seconds of a period by slot.
        "CREATE TABLE gpus (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), state TEXT)",
        "CREATE TABLE gpu_use (period INTEGER PRIMARY KEY, slots TEXT NOT NULL)",
        "CREATE TABLE forget_request (slot TEXT PRIMARY KEY)",
    ),
)


class NewerFileError(sqlite3.NotSupportedError):
    """The file has steps that this version does not know."""


def migrate(connection: sqlite3.Connection, steps: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Do the missing steps in one transaction."""
    if version_of(connection, steps) == len(steps):
        return  # without a write, which a full disk would refuse
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for step in steps[version_of(connection, steps) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")


def version_of(connection: sqlite3.Connection, steps: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Return the number of steps that a file has.

    Raises:
        NewerFileError: It has more than there are here.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise NewerFileError("the file is from a newer version of dstack-backend")
    return int(version)
