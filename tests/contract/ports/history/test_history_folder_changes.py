"""What a history store and the log do when its folder is changed while it is open."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory, read_history
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.monitoring.clock import read
from dstack_backend.domain import CheckFailure, GpuInventory, Reason, Status, assess
from dstack_backend.domain.history import HistoryConflict, HistoryError
from dstack_backend.domain.status import Change
from dstack_backend.testing.fakes import FakeClock
from tests.contract.ports.history.history_folder import (
    NOW,
    add,
    entries,
    entry,
    messages,
    quarantined,
    write,
)

UP, DOWN = assess(GpuInventory()), assess(CheckFailure(Reason.TIMED_OUT))


def folder_deleted(folder: Path) -> None:
    """With everything in it."""
    shutil.rmtree(folder)


def folder_emptied(folder: Path) -> None:
    """The folder is a new one."""
    shutil.rmtree(folder)
    folder.mkdir()


def file_deleted(folder: Path) -> None:
    """Only the file itself."""
    (folder / FILE).unlink()


def file_truncated(folder: Path) -> None:
    """It is still the same file."""
    os.truncate(folder / FILE, 0)


def wal_deleted(folder: Path) -> None:
    """What is not in the file yet is visible only where it is open."""
    (folder / f"{FILE}-wal").unlink()


def wal_truncated(folder: Path) -> None:
    """The same, with the name left."""
    os.truncate(folder / f"{FILE}-wal", 0)


def lock_deleted(folder: Path) -> None:
    """Another service could lock the folder."""
    (folder / "history.lock").unlink()


def copy_restored(folder: Path) -> None:
    """A backup of another time or node takes the file's place."""
    copy = folder.parent / "copy"
    write(copy, entry(message="copy"))
    (copy / FILE).rename(folder / FILE)


CHANGES = [
    folder_deleted,
    folder_emptied,
    file_deleted,
    file_truncated,
    wal_deleted,
    wal_truncated,
    lock_deleted,
    copy_restored,
]


@pytest.mark.parametrize("first", ["append", "load"])
@pytest.mark.parametrize("change", CHANGES)
def test_store_works_again_after_the_folder_was_changed(
    change: Callable[[Path], None], first: str, tmp_path: Path
) -> None:
    """After at most one error or conflict and one load; what is written then survives a restart."""
    folder = tmp_path / "data"
    store = SqliteHistory(folder)
    add(store, entry(1, "before"))
    change(folder)
    if first == "append":
        with suppress(HistoryError):
            store.append([entry(2, "after")], NOW, entry(1, "before"))
    with suppress(HistoryError):
        store.load()
    last = store.load().entries[-1:]
    if not last or last[0].message != "after":
        store.append([entry(2, "after")], NOW, last[0] if last else None)
    assert store.load().entries[-1].message == "after"
    with pytest.raises(HistoryError, match="another dstack-backend"):
        SqliteHistory(folder)
    store.close()
    write(folder, entry(3, "later"))
    assert messages(folder)[-2:] == ["after", "later"]
    assert len(quarantined(folder)) <= 1


@pytest.mark.parametrize("change", CHANGES)
def test_log_loses_nothing_when_the_folder_is_changed(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    """What was saved before is saved again where it is gone, and later entries follow."""
    folder = tmp_path / "data"
    clock = FakeClock()
    log = HistoryLog(lambda: SqliteHistory(folder), timedelta(days=400), clock)

    async def saved(*expected: Status) -> None:
        for _ in range(3):  # an error or a conflict is tried again with the next heartbeat
            await clock.advance(10)
            for _ in range(300):
                with suppress(HistoryError):
                    found = [each.after for each in read_history(folder).entries if each.after]
                    if found[-len(expected) :] == list(expected):
                        return
                await asyncio.sleep(0.001)
        raise AssertionError(f"not saved: {expected}")

    async def scenario() -> None:
        running = asyncio.create_task(log.run())
        log.on_change(Change(read(clock), DOWN, UP))
        await saved(Status.AVAILABLE)
        change(folder)
        await clock.advance(1)
        log.on_change(Change(read(clock), UP, DOWN))
        await saved(Status.AVAILABLE, Status.UNAVAILABLE)
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(scenario())
    numbers = [each.number for each in read_history(folder).entries]
    assert numbers == sorted(set(numbers))


def test_long_file_that_is_truncated_is_noticed(tmp_path: Path) -> None:
    """By its size: the pages that this process has in its cache would hide it."""
    store = SqliteHistory(tmp_path)
    written = entries(500, "x" * 100)
    store.append(written, NOW, None)
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.append([], NOW, written[-1])
    os.truncate(tmp_path / FILE, 4096)
    with suppress(HistoryError):
        store.append([], NOW, written[-1])
    assert store.load().entries == ()
    store.append(written, NOW, None)
    assert len(messages(tmp_path)) == 500
    store.close()


def test_closed_store_opens_nothing(tmp_path: Path) -> None:
    """The folder is free for another service."""
    store = SqliteHistory(tmp_path)
    add(store, entry(message="last"))
    store.close()
    with pytest.raises(HistoryError, match="closed"):
        store.append([], NOW, entry(message="last"))
    with pytest.raises(HistoryError, match="closed"):
        store.load()
    SqliteHistory(tmp_path).close()


def test_conflict_is_no_reason_to_open_the_file_again(tmp_path: Path) -> None:
    """The file is good, and nothing was written."""
    store = SqliteHistory(tmp_path)
    add(store, entry(1))
    for _ in range(2):
        with pytest.raises(HistoryConflict):
            store.append([entry(3)], NOW, entry(2))
    assert [each.number for each in store.load().entries] == [1]
    store.close()
