"""How much memory the history of the GPUs takes."""

import gc
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dstack_backend.adapters.memory_entries import Entries
from dstack_backend.adapters.sqlite_history import SqliteHistory, read_history
from dstack_backend.app.history.gpu_record import GpuRecord
from dstack_backend.app.history.retention import MAX_ENTRIES
from dstack_backend.domain import Timestamp
from dstack_backend.domain.gpu import GpuInventory, GpuState, track
from dstack_backend.domain.history import EntryGroup, entry_for_gpu
from dstack_backend.testing.fakes import EPOCH
from dstack_backend.testing.simulated_dstack import EIGHT_H200

LIMIT = 1_000_000
CHECKS = 30 * 24 * 8
"""One in 450 s for 30 days. Each shows a GPU that has changed its use."""

History = tuple[GpuRecord, Entries]


def recorded() -> History:
    """Return the history of 30 busy days, as the process that saw them has it."""
    gpus = list(EIGHT_H200)
    state: GpuState | None = None
    record, entries = GpuRecord(), Entries()
    for number in range(CHECKS):
        gpu = gpus[number % 8]
        gpus[number % 8] = replace(gpu, is_free=not gpu.is_free)
        now = Timestamp(450.0 * number, EPOCH + timedelta(seconds=450 * number))
        state = track(state, GpuInventory(gpus=tuple(gpus)), now, 1000.0)
        record.add(state)
        entries.add(map(entry_for_gpu, state.changes))
    entries.delete(EntryGroup.USE, len(entries.after(0)) - MAX_ENTRIES[EntryGroup.USE])
    return record, entries


def loaded(folder: Path) -> History:
    """Return the same, as the next process has it."""
    stored, record = read_history(folder), GpuRecord()
    record.use.restore(stored.use)
    return record, Entries(stored.entries)


def memory_of(make: Callable[[], Any]) -> int:
    """Return the bytes that something takes."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made = make()
        gc.collect()
        size = tracemalloc.get_traced_memory()[0] - before
        del made
        return size
    finally:
        tracemalloc.stop()


def test_eight_gpus_with_30_busy_days_take_less_than_1_mb(tmp_path: Path) -> None:
    """Use of all periods and all entries that are kept, whether recorded or loaded."""
    record, entries = recorded()
    now = EPOCH + timedelta(days=30)
    assert len(entries.after(0)) == MAX_ENTRIES[EntryGroup.USE]
    assert record.use.shares(now).node["30d"].unknown_percent < 1
    store = SqliteHistory(tmp_path)
    store.append(entries.after(0), now, None, gpus=record.take_update(()))
    store.close()
    del record, entries
    assert 100_000 < memory_of(recorded) < LIMIT
    assert 100_000 < memory_of(lambda: loaded(tmp_path)) < LIMIT
