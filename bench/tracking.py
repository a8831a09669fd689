"""What it costs to compare the GPUs from check to check and to record their use."""

import gc
import timeit
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from time import process_time

import msgspec
from msgspec.structs import replace

from bench.growth import check, gpu
from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.history.log import HistoryLog
from dstack_backend.domain import Check, CheckPolicy, Gpu, GpuInventory, GpuState, Timestamp
from dstack_backend.domain.gpu import track

__all__ = ["table"]

COUNTS = (8, 100, 1000)
START = Timestamp(1000.0, datetime(2026, 1, 1, tzinfo=UTC))
INTERVAL, BUSY_CHANGE, DAYS = 60, 600, 30
"""Seconds from check to check, and from change to change of one GPU, in the history of so long."""

MAX_GAP = CheckPolicy().stale_after


def table() -> list[list[str]]:
    """Measure a check without tracking, what tracking adds, and the memory of 30 busy days."""
    added = "added: same list", "added: other order", "added: 10 % change use"
    rows = [["GPUs", "CPU time of a check without", *added, "memory of 30 busy days"]]
    for count in COUNTS:
        gpus = [gpu(number) for number in range(count)]
        changed = [replace(each, is_free=not each.is_free) for each in gpus[::10]]
        others = [each for number, each in enumerate(gpus) if number % 10]
        body = msgspec.json.encode({"gpus": gpus})
        lists = gpus, gpus[::-1], [*changed, *others]
        tracking = [_seconds(_added(gpus, then)) for then in lists]
        memory = f"{_memory(gpus):,.0f} kB" if count == COUNTS[0] else "-"
        figures = [_seconds(partial(check, body)), *tracking]
        rows.append([f"{count:,}", *(f"{each * 1e6:,.0f} µs" for each in figures), memory])
    return rows


def _seconds(work: partial[None]) -> float:
    return min(timeit.repeat(work, number=20, repeat=15, timer=process_time)) / 20


def _added(before: Sequence[Gpu], after: Sequence[Gpu]) -> partial[None]:
    state = track(None, GpuInventory(gpus=tuple(before)), START, MAX_GAP)
    return partial(_track, _log(_Clock()), state, _decoded(after))


def _decoded(gpus: Sequence[Gpu]) -> GpuInventory:
    """Return what a check returns: other objects with the same texts."""
    body = msgspec.json.encode(gpus)
    return GpuInventory(gpus=msgspec.json.decode(body, type=tuple[Gpu, ...]))


def _track(log: HistoryLog, state: GpuState, inventory: GpuInventory) -> None:
    log.on_gpus(track(state, inventory, START + 10.0, MAX_GAP))


def _memory(gpus: Sequence[Gpu]) -> float:
    """Return the kilobytes of the history of a node whose GPUs change their use all the time."""
    clock, state = _Clock(), track(None, GpuInventory(gpus=tuple(gpus)), START, MAX_GAP)
    gc.collect()
    tracemalloc.start()
    log = _log(clock)
    for second in range(INTERVAL, DAYS * 86_400, INTERVAL):
        clock.now = START + second
        change = second // BUSY_CHANGE
        result = _decoded(
            [replace(each, is_free=bool((change + i) % 2)) for i, each in enumerate(gpus)]
        )
        state = track(state, result, clock.now, 2.0 * INTERVAL)
        log.on_check(Check(result=result, started=clock.monotonic(), finished=clock.now))
        log.on_gpus(state)
    gc.collect()
    kilobytes = tracemalloc.get_traced_memory()[0] / 1024
    tracemalloc.stop()
    return kilobytes


def _log(clock: "_Clock") -> HistoryLog:
    return HistoryLog(MemoryHistory, timedelta(days=DAYS), clock)


class _Clock:
    """A clock that is set. It implements `Clock`."""

    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        return self.now.monotonic

    def utc(self) -> datetime:
        return self.now.utc

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError
