"""The history file where what it contains of the GPUs is damaged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.adapters.sqlite_history import (
    FILE,
    SqliteHistory,
    read_history,
    request_forget,
)
from dstack_backend.domain import Gpu
from dstack_backend.domain.gpu import StoredGpus, TrackedGpu, UsePeriod
from dstack_backend.domain.history import (
    EntryKind,
    GpuUpdate,
    HistoryEntry,
    HistoryError,
    StoredHistory,
    gpu_entry,
)
from tests.contract.ports.history.history_folder import NOW, quarantined, write

SLOT = "3b:00.0"
STATE = StoredGpus(
    present=(TrackedGpu(Gpu(slot=SLOT, product_id="10de:2335", description="", is_free=True), NOW),)
)
USE = (UsePeriod(1, {SLOT: (1.0, 2.0)}), UsePeriod(2, {SLOT: (3.0, 4.0)}))


def gpu_change(number: int) -> HistoryEntry:
    """Return an entry of a lost GPU."""
    gpu = gpu_entry(SLOT, "10de:2335", "H200 SXM 141GB", NOW)
    return HistoryEntry(kind=EntryKind.GPU_LOST, at=NOW, gpu=gpu, message="GPU lost", number=number)


def damaged(folder: Path, statement: str) -> StoredHistory:
    """Return what a reader and a service read after the damage; the service writes, too."""
    store = SqliteHistory(folder)
    entries = [gpu_change(1), gpu_change(2), gpu_change(3)]
    store.append(entries, NOW, None, gpus=GpuUpdate(state=STATE, use=USE))
    store.close()
    request_forget(folder, SLOT)
    with closing(sqlite3.connect(folder / FILE)) as other, other:
        assert other.execute(statement).rowcount
    found = read_history(folder)
    store = SqliteHistory(folder)
    assert store.load() == found
    assert store.forget_requests() == found.forget_requests
    last = found.entries[-1]
    new = gpu_change(last.number + 1)
    update = GpuUpdate(state=STATE, use=USE, forgotten=[SLOT])
    store.append([new], NOW, last, gpus=update)
    store.close()
    again = read_history(folder)
    assert (again.gpus, again.use, again.entries[-1]) == (STATE, USE, new)
    assert quarantined(folder, "*") == []
    return found


@pytest.mark.parametrize(
    "value",
    ["NULL", "1", "x'ff00'", "'{'", "'[]'", "substr(state, 3)", "replace(state, '20', 'XX')"],
)
def test_damaged_state_counts_as_none(value: str, tmp_path: Path) -> None:
    """The rest is read, and the next state replaces it."""
    found = damaged(tmp_path, f"UPDATE gpus SET state = {value}")  # noqa: S608 - constants
    assert found.gpus is None
    assert (found.use, found.forget_requests) == (USE, (SLOT,))
    assert len(found.entries) == 3


@pytest.mark.parametrize(
    "value",
    [
        "5",
        "x'ff'",
        "'null'",
        "'{\"3b:00.0\":[1]}'",
        "'{\"3b:00.0\":[-1,0]}'",
        "'{\"3b:00.0\":[0,1e300]}'",
        "'{\"3b:00.0\":[0,null]}'",
    ],
)
def test_damaged_period_is_left_out(value: str, tmp_path: Path) -> None:
    """The others are read."""
    found = damaged(tmp_path, f"UPDATE gpu_use SET slots = {value} WHERE period = 1")  # noqa: S608
    assert found.use == USE[1:]
    assert found.gpus == STATE


def test_damaged_request_is_left_out(tmp_path: Path) -> None:
    """A number or bytes are no slot."""
    found = damaged(tmp_path, "INSERT INTO forget_request VALUES (x'ff'), (NULL)")
    assert found.forget_requests == (SLOT,)


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize(
    "damage",
    [
        "kind = 'gpu_molten'",
        "kind = x'ff'",
        "slot = x'ff'",
        "product_id = x'ff'",
        "model = x'ff'",
        "last_seen = 1e300",
        "last_seen = 'soon'",
    ],
)
def test_damaged_entry_of_a_gpu_is_left_out(damage: str, number: int, tmp_path: Path) -> None:
    """Also the last one."""
    statement = f"UPDATE entry SET {damage} WHERE number = {number}"  # noqa: S608 - constants
    found = damaged(tmp_path, statement)
    assert [each.number for each in found.entries] == [each for each in (1, 2, 3) if each != number]


def test_entry_that_lacks_a_gpu_is_read(tmp_path: Path) -> None:
    """Its fields are empty."""
    found = damaged(tmp_path, "UPDATE entry SET slot = NULL, product_id = NULL WHERE number = 2")
    assert found.entries[1].gpu == gpu_entry("", "", "H200 SXM 141GB", NOW)


def test_request_for_a_slot_of_any_bytes_is_kept(tmp_path: Path) -> None:
    """The command line of a shell may contain bytes that are no text."""
    write(tmp_path)
    for slot in ("\udcff", "\x00'; --"):
        request_forget(tmp_path, slot)
    assert sorted(read_history(tmp_path).forget_requests) == ["\x00'; --", "?"]


def test_request_without_a_history_is_an_error(tmp_path: Path) -> None:
    """No file is created."""
    with pytest.raises(HistoryError, match="unable to open database file"):
        request_forget(tmp_path, SLOT)
    assert list(tmp_path.iterdir()) == []
