"""Tests of trying to open a history."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.adapters.sqlite_history.probe import try_history
from dstack_backend.domain.history import HistoryError


def content(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a folder with their content."""
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize("below", ["", "data", "no/data"])
def test_nothing_is_created_where_no_history_exists(tmp_path: Path, below: str) -> None:
    """The service may run as another user than the caller."""
    try_history(tmp_path / below)
    assert list(tmp_path.iterdir()) == []


def test_existing_history_is_released_unchanged(tmp_path: Path) -> None:
    """A service can open it afterwards."""
    SqliteHistory(tmp_path).close()
    before = content(tmp_path)
    try_history(tmp_path)
    assert content(tmp_path) == before
    SqliteHistory(tmp_path).close()


def test_lock_file_is_not_created_for_a_restored_history(tmp_path: Path) -> None:
    """A backup is one file; a lock file of another user would stop the service."""
    SqliteHistory(tmp_path / "old").close()
    (tmp_path / "new").mkdir()
    (tmp_path / "old" / FILE).rename(tmp_path / "new" / FILE)
    try_history(tmp_path / "new")
    assert [each.name for each in (tmp_path / "new").iterdir()] == [FILE]


def test_locked_history_is_read_and_reported(tmp_path: Path) -> None:
    """The caller decides whether that is the service it expects."""
    history = SqliteHistory(tmp_path)
    is_locked = try_history(tmp_path)
    history.close()
    assert is_locked
    assert not try_history(tmp_path)


def test_write_lock_that_cannot_be_taken_is_an_error(tmp_path: Path) -> None:
    """Network file systems refuse it; here another connection has it."""
    SqliteHistory(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="locked"):
            try_history(tmp_path)


@pytest.mark.parametrize("damage", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_corrupt_file_is_not_quarantined(tmp_path: Path, damage: bytes) -> None:
    """That is up to the service."""
    SqliteHistory(tmp_path).close()
    (tmp_path / FILE).write_bytes(damage)
    before = content(tmp_path)
    with pytest.raises(HistoryError):
        try_history(tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("path", ["file", "file/data", "link", "link/data", "loop", "x" * 300])
def test_error_is_that_of_the_service(tmp_path: Path, path: str) -> None:
    """The path leads through a file, to nothing, in a circle, or is too long."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(HistoryError) as service:
        SqliteHistory(tmp_path / path)
    with pytest.raises(HistoryError) as caught:
        try_history(tmp_path / path)
    assert str(caught.value) == str(service.value)
