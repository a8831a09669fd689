"""The history's file through all that can happen to a file."""

import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory, SqliteReader
from dstack_backend.adapters.sqlite_history.migrations import MIGRATIONS, migrate
from dstack_backend.domain import Reason, Status
from dstack_backend.domain.history import HistoryEntry, HistoryError
from tests.contract.ports.history_folder import NOW, aside, entry, sentences, write


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    """There is nothing to set aside."""
    (tmp_path / FILE).touch()
    write(tmp_path, entry(message="new"))
    assert (sentences(tmp_path), aside(tmp_path)) == (["new"], [])


def test_a_file_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    """Though its schema is Greek to us: going back to the newer version finds it as it was."""
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
        SqliteReader(tmp_path).latest(1)
    assert (tmp_path / FILE).read_bytes() == before
    assert aside(tmp_path) == []


def test_what_only_a_newer_version_knows_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """A reason that came later, of a version that was taken back, makes nothing unreadable."""
    write(tmp_path, entry())
    with closing(sqlite3.connect(tmp_path / FILE)) as newer, newer:
        newer.execute("UPDATE entry SET after = 'unavailable', reason = 'new', sentence = 'New'")
    (read,) = SqliteReader(tmp_path).latest(1)
    assert (read.after, read.reason, read.message) == (Status.UNAVAILABLE, None, "New")


FIRST_VERSION = """
CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, before TEXT,
    after TEXT, reason TEXT, sentence TEXT NOT NULL);
CREATE INDEX entry_at ON entry (at);
CREATE TABLE alive (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), at REAL NOT NULL);
INSERT INTO entry VALUES (7, 1795480000.25, 'available', 'unavailable', 'timed_out', 'Old');
INSERT INTO alive VALUES (1, 1795480010.5);
PRAGMA user_version = 1;
"""


def test_a_file_that_version_1_made_is_read_by_every_later_one(tmp_path: Path) -> None:
    """Entries, numbers and the sign of life are still there."""
    with closing(sqlite3.connect(tmp_path / FILE)) as first:
        first.executescript(FIRST_VERSION)
    history = SqliteHistory(tmp_path)
    assert history.latest(10) == [
        HistoryEntry(
            at=datetime.fromtimestamp(1795480000.25, UTC),
            before=Status.AVAILABLE,
            after=Status.UNAVAILABLE,
            reason=Reason.TIMED_OUT,
            message="Old",
            number=7,
        )
    ]
    assert history.alive_at() == datetime.fromtimestamp(1795480010.5, UTC)
    history.close()


STEPS = (("CREATE TABLE a (x)",), ("ALTER TABLE a ADD COLUMN y", "CREATE TABLE b (z)"))


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """An empty one."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def tables(database: sqlite3.Connection) -> set[str]:
    """The names of its tables."""
    return {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}


@pytest.mark.parametrize("behind", [0, 1, 2])
def test_each_step_is_made_once_from_wherever_a_file_stands(
    behind: int, database: sqlite3.Connection
) -> None:
    """A second time nothing is left to do."""
    migrate(database, STEPS[:behind])
    for _ in range(2):
        migrate(database, STEPS)
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        assert tables(database) == {"a", "b"}
        assert database.execute("SELECT x, y FROM a").fetchall() == []


def test_a_step_that_fails_leaves_the_file_as_it_was(database: sqlite3.Connection) -> None:
    """Also the steps that went well before it."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, (*STEPS, ("CREATE TABLE c (x)", "CREATE TABLE c (x)")))
    assert database.execute("PRAGMA user_version").fetchone() == (0,)
    assert tables(database) == set()


def test_one_service_writes_at_a_time(tmp_path: Path) -> None:
    """A second one on the same folder is told so; it may write when the first has ended."""
    first = SqliteHistory(tmp_path)
    with pytest.raises(HistoryError, match="another dstack-backend writes there"):
        SqliteHistory(tmp_path)
    first.close()
    SqliteHistory(tmp_path).close()


def test_whoever_reads_waits_for_no_writer(tmp_path: Path) -> None:
    """What is committed is read while somebody holds the file, by the service and the command."""
    history = SqliteHistory(tmp_path)
    history.append([entry(message="written")], NOW)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HistoryError, match="locked"):
            history.append([entry(message="late")], NOW)
        assert sentences(tmp_path) == ["written"]
        assert [each.message for each in history.latest(10)] == ["written"]
    history.append([entry(message="late")], NOW)
    assert sentences(tmp_path) == ["written", "late"]
    history.close()


def test_a_folder_that_cannot_be_made_is_told_without_its_path(tmp_path: Path) -> None:
    """The reason comes from the operating system."""
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError) as told:
        SqliteHistory(tmp_path / "file" / "data")
    assert str(told.value) == "not a directory"


@pytest.fixture
def other_user() -> Iterator[None]:
    """Root may write everywhere; be somebody else."""
    uid = os.geteuid()
    os.seteuid(uid or 65534)
    yield
    os.seteuid(uid)


@pytest.fixture
def backup() -> Iterator[Path]:
    """A folder with a copy, to which nobody may write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, entry(message="copied"))
        folder.chmod(0o555)
        (folder / FILE).chmod(0o444)
        yield folder
        folder.chmod(0o700)


@pytest.mark.usefixtures("backup", "other_user")
def test_a_copy_in_a_folder_without_write_permission_can_be_read(backup: Path) -> None:
    """A backup, or the folder of another user's service that is stopped."""
    assert sentences(backup) == ["copied"]
    assert sorted(path.name for path in backup.iterdir()) == ["history.lock", FILE]
    with pytest.raises(HistoryError, match="permission denied"):
        SqliteHistory(backup)


def test_the_file_of_a_dstack_that_flaps_for_ever_stays_small(tmp_path: Path) -> None:
    """The room of what was forgotten is used again; the log beside it is bounded, too."""
    history = SqliteHistory(tmp_path)
    sizes: list[int] = []
    for _ in range(12):
        history.append([entry(n, "Connection error: connection refused") for n in range(500)], NOW)
        history.prune(NOW - timedelta(days=1), 1000)
        sizes.append((tmp_path / FILE).stat().st_size)
    assert len(history.latest(10_000)) == 1000
    assert max(sizes[6:]) <= 1.1 * max(sizes[:6])
    history.close()
    assert (tmp_path / FILE).stat().st_size < 500_000


def test_the_log_of_sqlite_holds_no_text_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A history that works says nothing."""
    with caplog.at_level(logging.DEBUG):
        write(tmp_path, entry())
    assert caplog.text == ""
