"""The opening of the store: a file in a folder, or memory."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.adapters.sqlite_history import FILE, SqliteHistory
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.app.history.open import opener
from dstack_backend.app.monitoring.clock import read
from dstack_backend.domain import CheckFailure, GpuInventory, Reason, Status, assess
from dstack_backend.domain.history import GapCause, HistoryError
from dstack_backend.domain.status import Change
from dstack_backend.testing.fakes import FakeClock


def test_folder_is_opened_when_asked_for(tmp_path: Path) -> None:
    """Not before, and each time anew."""
    open_store = opener(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    for _ in range(2):
        store = open_store()
        assert isinstance(store, SqliteHistory)
        assert (tmp_path / "data" / FILE).exists()
        store.close()


def test_unusable_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """It says what to set, and does not contain the path."""
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError) as caught:
        opener(tmp_path / "file")()
    assert str(caught.value) == (
        "DATA_DIR cannot be used (file exists); set it to a folder that this user can write to"
        " and no other service uses, or set HISTORY=off"
    )


def test_history_off_keeps_one_store_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    """A log that runs twice finds its entries, and logs nothing."""
    open_store = opener(None)
    store = open_store()
    assert isinstance(store, MemoryHistory)
    clock = FakeClock()
    log = HistoryLog(open_store, timedelta(days=1), clock)
    starting, up = assess(CheckFailure(Reason.STARTING)), assess(GpuInventory())

    async def run() -> None:
        task = asyncio.create_task(log.run())
        await clock.advance(0)
        log.on_change(Change(read(clock), starting, up))
        task.cancel()
        await asyncio.wait({task}, timeout=5)

    for _ in range(2):
        asyncio.run(run())
    found = [entry.after or entry.gap for entry in store.load().entries]
    assert found == [Status.AVAILABLE, GapCause.STOPPED, Status.AVAILABLE]
    assert caplog.text == ""
