"""The history in memory. Reads never touch the disk; a thread saves what is new.

All state belongs to the event loop; the thread only gets values. While it cannot save, because the
disk is full or hangs or the file cannot be opened, entries stay in memory and saving is tried again
every 10 s. Memory and store have the same bound: nothing is lost that the store would have kept.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import timedelta
from functools import partial
from heapq import merge

from dstack_backend.adapters.memory_entries import Entries, EntriesReader, run_in
from dstack_backend.app.history.gpu_record import GpuMemory, GpuRecord, OnLoad
from dstack_backend.app.history.retention import Retention
from dstack_backend.app.monitoring.clock import Clock, read, wait_event
from dstack_backend.domain.check import Check
from dstack_backend.domain.gpu import GpuState, GpuUse
from dstack_backend.domain.history import (
    EntryGroup,
    GapCause,
    HistoryConflict,
    HistoryEntry,
    HistoryError,
    StoredHistory,
    entry_for,
    entry_for_gpu,
    interruption,
    last_shared,
    merge_takeover,
    restart_gap,
)
from dstack_backend.domain.history.stored import HEARTBEAT
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.status import Change

__all__ = ["HistoryLog"]

_log = logging.getLogger(__name__)


class HistoryLog(EntriesReader):
    """Observes the monitor, and implements `HistoryReader`."""

    def __init__(
        self, open_store: Callable[[], HistoryStore], keep: timedelta, clock: Clock
    ) -> None:
        """Start empty; nothing is opened yet.

        Args:
            open_store: Opens the store. While it raises `HistoryError`, each save tries again.
            keep: For how long entries are kept.
            clock: Time.
        """
        super().__init__(clock.utc)
        self._clock = clock
        self._open_store = open_store
        self._retention = Retention(keep)
        self._store_thread = ThreadPoolExecutor(1, "history-store")
        self._store: HistoryStore | None = None
        self._is_loaded = False
        self._saved: HistoryEntry | None = None
        self._oldest: dict[EntryGroup, int] = {}
        self._gpu_memory: GpuMemory | None = None
        self._on_load: OnLoad | None = None
        self._gpus = GpuRecord()
        self._current: HistoryEntry | None = None
        self._seen = read(clock)
        self._wake = asyncio.Event()
        self._trouble = ""

    async def gpu_use(self) -> GpuUse:
        """Return how long the GPUs were in use."""
        use, now = deepcopy(self._gpus.use), self._clock.utc()
        return await self._read(lambda: use.shares(now))

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Note that the process runs: while the disk hangs there is no heartbeat."""
        self._tick()

    def on_change(self, change: Change) -> None:
        """Add an entry for the change, and wake the task that saves it."""
        self._tick()  # first: an interruption belongs to the time before the change
        if entry := entry_for(change):
            self._current = entry
            self._entries.add([entry])
            self._wake.set()

    def on_gpus(self, gpus: GpuState) -> None:
        """Add an entry for each change of a GPU, and the time in use up to the check."""
        self._gpus.add(gpus)
        if gpus.changes:
            self._entries.add(map(entry_for_gpu, gpus.changes))
            self._wake.set()

    async def run(self, gpu_memory: GpuMemory | None = None, on_load: OnLoad | None = None) -> None:
        """Save until cancelled; then save what is left and close the store.

        `on_load` gets what an earlier process stored, once; then `gpu_memory` gets what is stored
        of the GPUs, once, and each request to forget one.
        A second cancellation gives up waiting for a disk that hangs.
        """
        self._gpu_memory = gpu_memory
        self._on_load = on_load
        self._wake = asyncio.Event()  # each event loop needs its own
        saving = asyncio.ensure_future(self._save())
        try:
            while True:
                await asyncio.shield(saving)
                await wait_event(self._wake, HEARTBEAT, self._clock)
                self._wake.clear()
                saving = asyncio.ensure_future(self._save())
        finally:
            await asyncio.wait({saving})  # what it saves must not be saved twice
            await self._save()
            await self._close()

    def _tick(self) -> None:
        """Add an interruption that the clocks show, and delete what has expired."""
        now = read(self._clock)
        self._entries.add(interruption(self._current, self._seen, now))
        self._seen = now
        self._retention.apply(self._entries, now)

    async def _save(self) -> None:
        trouble = ""
        try:
            self._tick()
            await self._save_new()
        except HistoryError as exc:
            trouble = str(exc)
        except Exception as exc:  # noqa: BLE001 - an unexpected error must not end all saving
            trouble = f"unexpected error, please report it: {type(exc).__name__}"
        if trouble and trouble != self._trouble:
            _log.warning("the history cannot be saved: %s. It is kept in memory meanwhile", trouble)
        elif self._trouble and not trouble:
            _log.info("the history is saved again")
        self._trouble = trouble

    async def _save_new(self) -> None:
        if self._store is None:
            self._store = await run_in(self._store_thread, self._open_store)
        store = self._store
        if not self._is_loaded:
            self._merge(await run_in(self._store_thread, store.load))
        memory = self._gpu_memory
        forgotten = await run_in(self._store_thread, store.forget_requests) if memory else ()
        if memory and forgotten:
            memory.forget_gpus(forgotten)
        try:
            await self._append(store, forgotten)
        except HistoryConflict:
            self._merge(await run_in(self._store_thread, store.load))
            await self._append(store, forgotten)

    async def _append(self, store: HistoryStore, forgotten: Sequence[str]) -> None:
        now, saved, oldest = self._clock.utc(), self._saved, self._entries.oldest()
        new = self._entries.after(saved.number if saved else 0)
        gpus = self._gpus.take_update(forgotten)
        limits = dict(oldest.items() - self._oldest.items())
        work = partial(store.append, new, now, saved, oldest=limits, gpus=gpus)
        try:
            await run_in(self._store_thread, work)
        except BaseException:
            self._gpus.give_back(gpus)
            raise
        self._saved, self._oldest = new[-1] if new else saved, oldest

    def _merge(self, stored: StoredHistory) -> None:
        """Continue what is stored by what is in memory."""
        now, cause, shared = read(self._clock), GapCause.STOPPED, 0
        if self._is_loaded:
            cause = GapCause.REPLACED
            shared = last_shared(stored.entries, self._entries.after(0))
            self._gpus.save_again()
            _log.warning("the history file was changed: what came after entry %d is saved", shared)
        else:
            self._gpus.use.restore(stored.use)
            if self._on_load:
                self._on_load(stored)
            if stored.gpus and self._gpu_memory and (seen_at := stored.available_until):
                self._gpu_memory.restore_gpus(stored.gpus, seen_at)
        self._is_loaded = True
        self._retention.start(stored.alive_at, now)
        self._saved, self._oldest = stored.entries[-1] if stored.entries else None, {}
        if self._saved and self._saved.number != shared:
            changes = merge_takeover(stored, self._entries.status, now.utc, cause, shared)
            gpus = [each for each in self._entries.after(shared) if each.gpu]
            self._entries = Entries(stored.entries)
            self._entries.add(merge(changes, gpus, key=lambda each: each.at))

    async def _close(self) -> None:
        """Close the store. The time until the log runs again is a gap."""
        store, self._store = self._store, None
        gap = restart_gap(StoredHistory(self._entries.status, self._clock.utc()))
        self._entries.add([gap] if gap else [])
        self._current = None
        if store:
            await run_in(self._store_thread, store.close)
