"""A history as a node may have: three months with outages and gaps."""

import random
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path

from msgspec.structs import replace

from dstack_backend.adapters.sqlite_history import SqliteHistory
from dstack_backend.domain import CheckFailure, HistoryEntry, Reason, Status
from dstack_backend.domain.gpu import (
    GpuChange,
    GpuChangeKind,
    MissingGpu,
    StoredGpus,
    TrackedGpu,
    UsePeriod,
)
from dstack_backend.domain.gpu.use import period_of
from dstack_backend.domain.history import GapCause, GpuUpdate, entry_for_gpu
from dstack_backend.testing.simulated_dstack import EIGHT_H200

__all__ = ["LOST", "write_history"]

# Hours ago, duration in minutes, and the failure or the gap.
_INTERRUPTIONS: tuple[tuple[float, float, CheckFailure | GapCause], ...] = (
    (2040, 2, CheckFailure(Reason.CONNECTION_REFUSED)),
    (2000, 9, CheckFailure(Reason.HOST_NOT_FOUND)),
    (1900, 4, CheckFailure(Reason.CONNECTION_REFUSED)),
    (1650, 190, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")),
    (1300, 1700, GapCause.STOPPED),
    (1100, 0.2, CheckFailure(Reason.CONNECTION_REFUSED)),
    (700, 25, CheckFailure(Reason.HTTP_ERROR, "500 Internal Server Error")),
    (420, 3, CheckFailure(Reason.CONNECTION_REFUSED)),
    (130, 260, GapCause.STOPPED),
    (97, 42, CheckFailure(Reason.CONNECTION_REFUSED)),
    (52, 6, CheckFailure(Reason.UNAUTHORIZED)),
    (19.2, 70, GapCause.SUSPENDED),
    (7.4, 11, CheckFailure(Reason.TIMED_OUT, "no answer within 5 s")),
)
_START = 2050
"""Hours ago."""


LOST = EIGHT_H200[1]
"""The GPU that is missing where `write_history` is told so."""


def write_history(folder: Path, lost_hours: float | None = None) -> None:
    """Write it as a service does that was running until now.

    Args:
        folder: Folder of the history.
        lost_hours: How many hours ago the GPU `LOST` was lost; `None`: it was not.
    """
    now = datetime.now(UTC)
    entries = [_available(now, _START)]
    for hours, minutes, cause in _INTERRUPTIONS:
        failure = cause if isinstance(cause, CheckFailure) else None
        entries += [
            HistoryEntry(
                at=now - timedelta(hours=hours),
                before=None,
                after=Status.UNAVAILABLE if failure else None,
                reason=failure.reason if failure else None,
                gap=None if isinstance(cause, CheckFailure) else cause,
                message=cause.message,
            ),
            _available(now, hours - minutes / 60),
        ]
    chained = [entries[0], *(replace(b, before=a.after) for a, b in pairwise(entries))]
    if lost_hours:
        at = now - timedelta(hours=lost_hours)
        change = GpuChange(GpuChangeKind.LOST, at, LOST, at - timedelta(seconds=10))
        chained = sorted([*chained, entry_for_gpu(change)], key=lambda each: each.at)
    numbered = [replace(each, number=n) for n, each in enumerate(chained, 1)]
    store = SqliteHistory(folder)
    store.append(numbered, now, None, gpus=_gpus(now, lost_hours))
    store.close()


def _available(now: datetime, hours: float) -> HistoryEntry:
    at = now - timedelta(hours=hours)
    return HistoryEntry(
        at=at, before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs, 5 free"
    )


def _gpus(now: datetime, lost_hours: float | None) -> GpuUpdate:
    """Return the GPUs and their use over 30 days, in which they are rented for 1 to 40 hours."""
    last = period_of(now)
    numbers = range(last - 30 * 48 + 1, last + 1)
    used = {gpu.slot: _rented(seed, is_free=gpu.is_free) for seed, gpu in enumerate(EIGHT_H200)}
    lost_from = last - 2 * lost_hours if lost_hours else last + 1
    periods: list[UsePeriod] = []
    for number in numbers:
        start = number * 1800
        known = min(1800.0, now.timestamp() - start) - _interrupted(now, start)
        slots = {
            slot: (known, 0.0) if last - number in in_use else (0.0, known)
            for slot, in_use in used.items()
            if slot != LOST.slot or number < lost_from
        }
        periods.append(UsePeriod(number, slots))
    present = tuple(
        TrackedGpu(gpu, _since(last, used[gpu.slot], is_free=gpu.is_free))
        for gpu in EIGHT_H200
        if not lost_hours or gpu is not LOST
    )
    missing = (MissingGpu(LOST, now - timedelta(hours=lost_hours)),) if lost_hours else ()
    return GpuUpdate(state=StoredGpus(present, missing), use=periods)


def _rented(seed: int, *, is_free: bool) -> set[int]:
    """Return how many half hours ago it was in use."""
    chance = random.Random(seed)  # noqa: S311 - the same with each run
    ago, in_use = 0, set[int]()
    while ago < 30 * 48:
        length = chance.randint(2, 20) if is_free else chance.randint(10, 60)
        in_use |= set() if is_free else set(range(ago, ago + length))
        ago, is_free = ago + length, not is_free
    return in_use


def _since(last: int, in_use: set[int], *, is_free: bool) -> datetime:
    """Return when the present use began."""
    ago = next(ago for ago in count() if (ago in in_use) == is_free)
    return datetime.fromtimestamp((last - ago + 1) * 1800, UTC)


def _interrupted(now: datetime, start: float) -> float:
    """Return how many seconds of a period were interrupted."""
    total = 0.0
    for hours, minutes, _ in _INTERRUPTIONS:
        begin = now.timestamp() - 3600 * hours
        total += max(0.0, min(start + 1800, begin + 60 * minutes) - max(start, begin))
    return total
