"""The history's file through all that can go wrong with it, at the start and while we run."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.adapters.sqlite_history.database import error_text
from dstack_backend.domain import Timestamp
from dstack_backend.domain.history import HistoryError
from tests.contract.ports.history_folder import NOW, aside, entry, sentences, write


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
    path.write_bytes(whole[:100] + bytes(range(256)) * ((len(whole) - 100) // 256))


def folder_in_its_place(path: Path) -> None:
    """Docker makes a folder where a file that it is to mount is missing."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [garbage, torn_header, truncated, torn_pages, folder_in_its_place])
def test_a_corrupt_file_is_set_aside_and_a_new_one_begun(
    harm: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start; nothing of it is deleted, and the log has its name."""
    write(tmp_path, *(entry(n, str(n)) for n in range(500)))
    harm(tmp_path / FILE)
    write(tmp_path, entry(message="new"))
    assert sentences(tmp_path) == ["new"]
    (name,) = aside(tmp_path)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert name in caplog.text


@pytest.mark.parametrize("by", ["writing", "reading"])
def test_a_file_that_becomes_corrupt_is_set_aside_while_we_run(by: str, tmp_path: Path) -> None:
    """Whoever sees it first is told so, and the next call has a new file, whole in itself."""
    history = SqliteHistory(tmp_path)
    history.append([entry(n, "x" * 400) for n in range(500)], NOW)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    torn_pages(tmp_path / FILE)
    calls: dict[str, Callable[[], object]] = {
        "writing": lambda: history.append([entry(n, "x" * 400) for n in range(500)], NOW),
        "reading": lambda: history.latest(500),
    }
    with pytest.raises(HistoryError):
        calls[by]()
    assert history.latest(10) == []
    history.append([entry(message="new")], NOW)
    assert sentences(tmp_path) == ["new"]
    assert aside(tmp_path)
    history.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["history.lock", FILE, *aside(tmp_path)]
    )


def test_a_broken_disk_does_not_fill_up_with_corrupt_files(tmp_path: Path) -> None:
    """After ten of them no more are begun."""
    for _ in range(10):
        write(tmp_path)
        garbage(tmp_path / FILE)
    write(tmp_path)
    assert len(aside(tmp_path)) == 10
    garbage(tmp_path / FILE)
    with pytest.raises(HistoryError, match="10 corrupt files are set aside there"):
        SqliteHistory(tmp_path)
    assert len(aside(tmp_path)) == 10


@pytest.mark.parametrize(
    "damage",
    [
        "at = 1e300",
        "at = -1e300",
        "at = 9e999",
        "at = 'soon'",
        "at = x'ff'",
        "sentence = x'ff'",
        "at = 253402300800",
    ],
)
def test_a_row_that_is_damaged_is_left_out(damage: str, tmp_path: Path) -> None:
    """The others are read, and writing goes on; so it is with the sign of life."""
    write(tmp_path, *(entry(n, str(n)) for n in range(3)))
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute(f"UPDATE entry SET {damage} WHERE number = 2")  # noqa: S608 - our own
        if "at" in damage:
            other.execute(f"UPDATE alive SET {damage}")  # noqa: S608
    history = SqliteHistory(tmp_path)
    assert [each.number for each in history.latest(2)] == [3, 1]
    assert [each.number for each in history.between(NOW, NOW + timedelta(seconds=9))] == [1, 3]
    assert (history.alive_at() is None) == ("at" in damage)
    history.append([entry(4, "new")], NOW)
    history.close()
    assert sentences(tmp_path) == ["0", "2", "new"]
    assert aside(tmp_path) == []


def test_a_byte_that_is_damaged_costs_its_letter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite's own check finds nothing wrong with it, and Python would not read it."""
    write(tmp_path, *(entry(n, f"sentence {n}") for n in range(3)))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole.replace(b"sentence 2", b"sent\xffnce 2"))
    write(tmp_path, entry(3, "new"))
    assert sentences(tmp_path) == ["sentence 0", "sentence 1", "sent\ufffdnce 2", "new"]
    assert caplog.text == ""


def test_no_error_tells_what_is_in_the_file() -> None:
    """Python quotes the text that it cannot decode."""
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(sqlite3.Error) as told:
        database.execute("SELECT CAST(x'736563726574ff' AS TEXT)").fetchall()
    assert "secret" in str(told.value)
    assert "secret" not in error_text(told.value)


def test_a_file_without_our_tables_is_set_aside(tmp_path: Path) -> None:
    """Though SQLite finds nothing wrong with it."""
    write(tmp_path, entry())
    with closing(sqlite3.connect(tmp_path / FILE)) as other, other:
        other.execute("DROP TABLE entry")
    write(tmp_path, entry(message="new"))
    assert sentences(tmp_path) == ["new"]
    assert len(aside(tmp_path)) == 1


def folder_gone(folder: Path) -> None:
    """Somebody cleans up."""
    shutil.rmtree(folder)


def folder_anew(folder: Path) -> None:
    """Somebody cleans up, and leaves an empty folder."""
    shutil.rmtree(folder)
    folder.mkdir()


def file_gone(folder: Path) -> None:
    """Only the file itself."""
    (folder / FILE).unlink()


def file_emptied(folder: Path) -> None:
    """It is the same file still."""
    os.truncate(folder / FILE, 0)


def log_gone(folder: Path) -> None:
    """What is not in the file yet is lost for all but who has it open."""
    (folder / f"{FILE}-wal").unlink()


def log_emptied(folder: Path) -> None:
    """The same, with the name left."""
    os.truncate(folder / f"{FILE}-wal", 0)


def lock_gone(folder: Path) -> None:
    """Another service could claim the folder."""
    (folder / "history.lock").unlink()


def copy_in_its_place(folder: Path) -> None:
    """A backup is played back."""
    copy = folder.parent / "copy"
    write(copy, entry(message="copy"))
    (copy / FILE).rename(folder / FILE)


HARMS = [
    folder_gone,
    folder_anew,
    file_gone,
    file_emptied,
    log_gone,
    log_emptied,
    lock_gone,
    copy_in_its_place,
]


@pytest.mark.parametrize("first", ["append", "latest", "alive_at"])
@pytest.mark.parametrize("harm", HARMS)
def test_whatever_happens_to_the_folder_it_works_again_once_it_was_read(
    harm: Callable[[Path], None], first: str, tmp_path: Path
) -> None:
    """For reading and writing; what is written then is still there after a restart."""
    folder = tmp_path / "data"
    history = SqliteHistory(folder)
    history.append([entry(message="before")], NOW)
    harm(folder)
    calls: dict[str, Callable[[], object]] = {
        "append": lambda: history.append([entry(message="after")], NOW),
        "latest": lambda: history.latest(1),
        "alive_at": history.alive_at,
    }
    for call in (first, "latest"):  # some harm shows only to whoever reads
        with suppress(HistoryError):
            calls[call]()
    calls[first]()
    calls["append"]()
    assert history.latest(1)[0].message == "after"
    with pytest.raises(HistoryError, match="another dstack-backend"):
        SqliteHistory(folder)
    history.close()
    write(folder, entry(message="later"))
    assert sentences(folder)[-2:] == ["after", "later"]
    assert len(aside(folder)) <= 1


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_happens_to_the_folder_a_service_goes_on_with_what_holds(
    harm: Callable[[Path], None], tmp_path: Path
) -> None:
    """Nothing that waits is lost, and the last of what was written is written again."""
    folder = tmp_path / "data"
    unwritten = Unwritten()
    writer = HistoryWriter(lambda: SqliteHistory(folder), unwritten, timedelta(days=400))
    unwritten.add(entry(message="holds"))
    writer.write(Timestamp(0.0, NOW))
    harm(folder)
    unwritten.add(entry(1, "new"))
    with suppress(HistoryError):
        writer.write(Timestamp(1.0, NOW + timedelta(seconds=1)))
    writer.write(Timestamp(2.0, NOW + timedelta(seconds=2)))
    writer.close()
    assert sentences(folder)[-2:] == ["holds", "new"]


def test_a_history_that_is_closed_opens_nothing_any_more(tmp_path: Path) -> None:
    """A reader that is late reads; the folder is left to others."""
    history = SqliteHistory(tmp_path)
    history.append([entry(message="last")], NOW)
    history.close()
    assert history.latest(1)[0].message == "last"
    with pytest.raises(HistoryError, match="closed"):
        history.append([], NOW)
    SqliteHistory(tmp_path).close()
