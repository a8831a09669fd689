"""The history file when it is corrupt or damaged, at the start and while it is open."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.adapters.sqlite_history.errors import error_text
from dstack_backend.domain.history import HistoryConflict, HistoryError
from tests.contract.ports.history.history_folder import (
    NOW,
    add,
    entries,
    entry,
    messages,
    quarantined,
    write,
)


def garbage(path: Path) -> None:
    """Another program's file."""
    path.write_bytes(b"This is no database. " * 500)


def torn_header(path: Path) -> None:
    """The first sector is lost."""
    path.write_bytes(b"\0" * 512 + path.read_bytes()[512:])


def truncated(path: Path) -> None:
    """The end is lost."""
    os.truncate(path, path.stat().st_size // 2 + 100)


def torn_pages(path: Path) -> None:
    """All but the header is noise."""
    whole = path.read_bytes()
    noise = bytes(range(256)) * (len(whole) // 256)
    path.write_bytes(whole[:100] + noise[100:])


def folder_in_its_place(path: Path) -> None:
    """Docker creates a folder where a file that it is to mount is missing."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [garbage, torn_header, truncated, torn_pages, folder_in_its_place]
)
def test_corrupt_file_is_quarantined_and_a_new_one_created(
    damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start; nothing of it is deleted, and the log has its new name."""
    write(tmp_path, *entries(500))
    damage(tmp_path / FILE)
    write(tmp_path, entry(message="new"))
    assert messages(tmp_path) == ["new"]
    (name,) = quarantined(tmp_path)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"the history file is corrupt: it was renamed to {name}" in caplog.text


@pytest.mark.parametrize("call", ["append", "load"])
def test_file_that_becomes_corrupt_is_quarantined_while_open(call: str, tmp_path: Path) -> None:
    """The call that notices it fails, and the next one has a new file."""
    store = SqliteHistory(tmp_path)
    written = entries(500, "x" * 400)
    store.append(written, NOW, None)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("UPDATE alive SET at = at + 1")  # so that the store reads from the disk again
        other.commit()
        other.execute("PRAGMA wal_checkpoint(RESTART)")
    torn_pages(tmp_path / FILE)
    calls: dict[str, Callable[[], object]] = {
        "append": lambda: store.append([entry(501)], NOW, written[-1]),
        "load": store.load,
    }
    with pytest.raises(HistoryError) as caught:
        calls[call]()
    assert not isinstance(caught.value, HistoryConflict)
    assert store.load().entries == ()
    add(store, entry(message="new"))
    assert messages(tmp_path) == ["new"]
    assert quarantined(tmp_path)
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["history.lock", FILE, *quarantined(tmp_path)]
    )


def test_quarantine_is_limited(tmp_path: Path) -> None:
    """After ten files no more are created: a broken disk must not fill up as well."""
    for _ in range(10):
        write(tmp_path)
        garbage(tmp_path / FILE)
    write(tmp_path)
    assert len(quarantined(tmp_path)) == 10
    garbage(tmp_path / FILE)
    with pytest.raises(HistoryError, match="10 unusable files are set aside there"):
        SqliteHistory(tmp_path)
    assert len(quarantined(tmp_path)) == 10


DAMAGED_VALUES = [
    "at = 1e300",
    "at = -1e300",
    "at = 9e999",
    "at = 'soon'",
    "at = x'ff'",
    "at = 253402300800",
    "message = x'ff'",
    "number = 9223372036854775807",
    "number = -1",
]


@pytest.mark.parametrize("damage", DAMAGED_VALUES)
@pytest.mark.parametrize("number", [2, 3])
def test_damaged_row_is_left_out(damage: str, number: int, tmp_path: Path) -> None:
    """Also the last one: the others are read, and appending goes on without a conflict."""
    write(tmp_path, *entries(3))
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute(f"UPDATE entry SET {damage} WHERE number = {number}")  # noqa: S608 - constants
        if "at = " in damage:
            other.execute(f"UPDATE alive SET {damage}")  # noqa: S608 - constants
    rest = [each for each in (1, 2, 3) if each != number]
    store = SqliteHistory(tmp_path)
    found = store.load()
    assert [each.number for each in found.entries] == rest
    assert (found.alive_at is None) == ("at = " in damage)
    new = entry(rest[-1] + 1, "new")
    store.append([new], NOW, found.entries[-1])
    store.append([], NOW, new)
    store.close()
    assert messages(tmp_path) == [*map(str, rest), "new"]
    assert quarantined(tmp_path, "*") == []


def test_damaged_byte_costs_only_its_letter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite's own check does not find it; it makes no conflict either."""
    write(tmp_path, *entries(3, "message {}"))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole.replace(b"message 3", b"mess\xffge 3"))
    store = SqliteHistory(tmp_path)
    store.append([entry(4, "new")], NOW, entry(3, "message 3"))
    store.close()
    assert messages(tmp_path) == ["message 1", "message 2", "mess\ufffdge 3", "new"]
    assert caplog.text == ""


def test_error_text_contains_nothing_from_the_file() -> None:
    """Python quotes the text that it cannot decode."""
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(sqlite3.Error) as caught:
        database.execute("SELECT CAST(x'736563726574ff' AS TEXT)").fetchall()
    assert "secret" in str(caught.value)
    assert "secret" not in error_text(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE entry",
        "DROP TABLE gpus",
        "ALTER TABLE entry DROP COLUMN kind",
        "ALTER TABLE entry DROP COLUMN last_seen",
        "ALTER TABLE forget_request RENAME COLUMN slot TO name",
    ],
)
def test_file_of_another_schema_is_renamed(statement: str, tmp_path: Path) -> None:
    """Though SQLite finds nothing wrong with it: a development version had other tables."""
    write(tmp_path, entry())
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute(statement)
    write(tmp_path, entry(message="new"))
    assert messages(tmp_path) == ["new"]
    assert len(quarantined(tmp_path, "old")) == 1
