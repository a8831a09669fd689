"""The migrations of the history file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dstack_backend.adapters.sqlite_history.migrations import NewerFileError, migrate, version_of

STEPS = (("CREATE TABLE a (x)",), ("ALTER TABLE a ADD COLUMN y", "CREATE TABLE b (z)"))


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def tables(database: sqlite3.Connection) -> set[str]:
    """Return the names of the tables."""
    return {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}


@pytest.mark.parametrize("done", [0, 1, 2])
def test_missing_steps_are_done_once(done: int, database: sqlite3.Connection) -> None:
    """From any version on; a second time nothing is left to do."""
    migrate(database, STEPS[:done])
    for _ in range(2):
        migrate(database, STEPS)
        assert version_of(database, STEPS) == 2
        assert tables(database) == {"a", "b"}
        assert database.execute("SELECT x, y FROM a").fetchall() == []


def test_failed_step_leaves_the_file_as_it_was(database: sqlite3.Connection) -> None:
    """The steps before it are undone as well."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, (*STEPS, ("CREATE TABLE c (x)", "CREATE TABLE c (x)")))
    assert version_of(database, STEPS) == 0
    assert tables(database) == set()


def test_newer_file_is_rejected(database: sqlite3.Connection) -> None:
    """It has steps that this version does not know."""
    migrate(database, STEPS)
    with pytest.raises(NewerFileError, match="newer version"):
        migrate(database, STEPS[:1])
