"""The history file: created, of another version, locked, read-only, and its size."""

import logging
import os
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory, read_history
from dstack_backend.adapters.sqlite_history.migrations import MIGRATIONS
from dstack_backend.domain import Status
from dstack_backend.domain.history import EntryGroup, HistoryError
from tests.contract.ports.history.history_folder import (
    NOW,
    add,
    entry,
    messages,
    quarantined,
    write,
)


def test_empty_file_becomes_a_history(tmp_path: Path) -> None:
    """There is nothing to quarantine."""
    (tmp_path / FILE).touch()
    write(tmp_path, entry(message="new"))
    assert (messages(tmp_path), quarantined(tmp_path, "*")) == (["new"], [])


def test_file_of_a_newer_version_is_not_changed(tmp_path: Path) -> None:
    """Even one whose schema cannot be parsed: after an update it is as it was."""
    write(tmp_path, entry())
    with closing(sqlite3.connect(tmp_path / FILE)) as newer:
        newer.execute("PRAGMA writable_schema = ON")
        newer.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE entry OF NEWS' WHERE rowid = 1")
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        newer.commit()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(HistoryError, match="newer version"):
        SqliteHistory(tmp_path)
    with pytest.raises(HistoryError, match="newer version"):
        read_history(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before
    assert quarantined(tmp_path, "*") == []


DEVELOPMENT_VERSION = """
CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, before TEXT,
    after TEXT, reason TEXT, sentence TEXT NOT NULL);
CREATE INDEX entry_at ON entry (at);
CREATE TABLE alive (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), at REAL NOT NULL);
INSERT INTO entry VALUES (7, 1795480000.25, 'available', 'unavailable', 'timed_out', 'Old');
INSERT INTO alive VALUES (1, 1795480010.5);
PRAGMA user_version = 1;
"""


def test_file_of_a_development_version_is_renamed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not called corrupt, nothing of it is deleted, and a new file is created."""
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript(DEVELOPMENT_VERSION)
    with pytest.raises(HistoryError, match="the file has another schema"):
        read_history(tmp_path)
    write(tmp_path, entry(message="new"))
    assert messages(tmp_path) == ["new"]
    (name,) = quarantined(tmp_path, "old")
    (record,) = caplog.records
    fault = "the history file has the schema of a development version"
    assert record.getMessage() == f"{fault}: it was renamed to {name}, a new one is created"
    with closing(sqlite3.connect(tmp_path / name)) as old:
        assert old.execute("SELECT sentence FROM entry").fetchall() == [("Old",)]


def test_unknown_codes_are_read_as_none(tmp_path: Path) -> None:
    """A code that only a newer version knows makes nothing unreadable, and no conflict."""
    write(tmp_path, entry())
    with closing(sqlite3.connect(tmp_path / FILE)) as newer, newer:
        newer.execute("UPDATE entry SET after = 'unavailable', reason = 'new', gap = 'new'")
    (found,) = read_history(tmp_path).entries
    assert (found.after, found.reason, found.gap) == (Status.UNAVAILABLE, None, None)
    store = SqliteHistory(tmp_path)
    store.append([entry(2)], NOW, found)
    assert len(store.load().entries) == 2
    store.close()


def test_one_service_writes_at_a_time(tmp_path: Path) -> None:
    """A second one on the folder gets an error, until the first one has ended."""
    first = SqliteHistory(tmp_path)
    with pytest.raises(HistoryError, match="another dstack-backend writes there"):
        SqliteHistory(tmp_path)
    first.close()
    SqliteHistory(tmp_path).close()


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    """What is committed is readable while the file is locked, and writing goes on afterwards."""
    store = SqliteHistory(tmp_path)
    add(store, entry(1, "written"))
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HistoryError, match="locked"):
            store.append([entry(2, "late")], NOW, entry(1, "written"))
        assert messages(tmp_path) == ["written"]
    store.append([entry(2, "late")], NOW, entry(1, "written"))
    assert messages(tmp_path) == ["written", "late"]
    store.close()


def test_folder_that_cannot_be_created_is_an_error_without_its_path(tmp_path: Path) -> None:
    """The text is that of the operating system."""
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError) as caught:
        SqliteHistory(tmp_path / "file" / "data")
    assert str(caught.value) == "not a directory"


@pytest.fixture
def other_user() -> Iterator[None]:
    """Become another user, as root may write everywhere."""
    uid = os.geteuid()
    os.seteuid(uid or 65534)
    yield
    os.seteuid(uid)


@pytest.fixture
def backup() -> Iterator[Path]:
    """A folder with a copy, in which nothing can be written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, entry(message="copied"))
        folder.chmod(0o555)
        for file in folder.iterdir():
            file.chmod(0o444)
        yield folder
        folder.chmod(0o700)


@pytest.mark.usefixtures("backup", "other_user")
def test_copy_in_a_read_only_folder_is_readable(backup: Path) -> None:
    """A backup, or the folder of another user's service that is stopped."""
    assert messages(backup) == ["copied"]
    assert sorted(path.name for path in backup.iterdir()) == ["history.lock", FILE]
    with pytest.raises(HistoryError, match="permission denied"):
        SqliteHistory(backup)


def test_history_is_readable_where_no_file_can_grow(tmp_path: Path) -> None:
    """A full disk or a quota: the permissions of the folder do not tell it."""
    write(tmp_path, entry(message="old"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        found = messages(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert found == ["old"]


def test_file_of_a_flapping_node_stays_small(tmp_path: Path) -> None:
    """The space of deleted entries is used again; the write-ahead log is bounded, too."""
    store = SqliteHistory(tmp_path)
    sizes: list[int] = []
    last = None
    for start in range(1, 6001, 500):
        new = [entry(start + n, "Connection error: connection refused") for n in range(500)]
        store.append(new, NOW, last, oldest={EntryGroup.STATUS: start - 500})
        last = new[-1]
        sizes.append((tmp_path / FILE).stat().st_size)
    assert len(store.load().entries) == 1000
    assert max(sizes[6:]) <= 1.1 * max(sizes[:6])
    store.close()
    assert (tmp_path / FILE).stat().st_size < 500_000


def test_working_history_logs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At any level."""
    with caplog.at_level(logging.DEBUG):
        write(tmp_path, entry())
    assert caplog.text == ""
