"""Compares each listing of the GPUs with the one before: what is lost, found, replaced or in use.

1. Compared are the slots. Where several GPUs have the same slot, they are numbered in the order of
   their product ids; the order of the listing has no meaning.
2. A GPU that is not listed is lost when the next good check does not list it either: while lspci
   fails half-way, DStack lists fewer GPUs once. That check comes 1 s later. A failed check between
   the two begins anew. At most one such check is made for a loss: where none is confirmed, the
   next ones come with the schedule.
3. A lost GPU is missing until it is listed again, is forgotten, or 30 days have passed. Days count
   only by a clock that has run for an hour without being set.
4. The time between two good checks in a row counts as known, with the use that the first listed.

At most `MAX_TRACKED` GPUs are tracked.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.domain.gpu.change import GpuChange, GpuChangeKind
from dstack_backend.domain.gpu.inventory import Gpu, GpuInventory
from dstack_backend.domain.gpu.state import (
    GpuState,
    Key,
    MissingGpu,
    StoredGpus,
    TrackedGpu,
    bounded,
    keyed,
)
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["forget", "interrupt", "restore", "track"]

MAX_TRACKED = 1024
"""GPUs that are present or missing, each; a node has at most 16 today."""

MAX_MISSING_TIME = timedelta(days=30)
STEADY_TIME = 3600.0
"""Seconds that a clock must run without being set before it counts days."""

MAX_CLOCK_SKEW = 30.0
"""Seconds. A clock that is corrected by less was not set."""


def track(
    state: GpuState | None, inventory: GpuInventory, now: Timestamp, max_gap: float
) -> GpuState:
    """Return the state after a good check.

    Args:
        state: The state before; `None` before the first good check.
        inventory: What the check listed.
        now: When it finished.
        max_gap: Seconds between two checks from which on the time between is unknown.
    """
    if state is None:
        listed = _by_key(inventory.gpus, ())
        present = {key: TrackedGpu(gpu, now.utc, key[1]) for key, gpu in listed}
        return GpuState(
            inventory=inventory,
            seen_at=now.utc,
            present=present,
            count=len(present),
            last_good=now,
            steady_since=now,
        )
    elapsed = now.monotonic - state.last_good.monotonic if state.last_good else 0.0
    timed = replace(
        state,
        inventory=inventory,
        seen_at=now.utc,
        needs_confirmation=False,
        changes=(),
        last_good=now,
        counted=elapsed if 0 < elapsed <= max_gap else 0.0,
        used=state.present.values(),
        steady_since=_steady_since(state.steady_since, now),
    )
    if not state.unconfirmed and inventory.gpus == state.inventory.gpus:
        return _expire(timed, now)
    return _expire(_compare(timed, inventory, now.utc, state.seen_at), now)


def _compare(state: GpuState, inventory: GpuInventory, at: datetime, seen_at: datetime) -> GpuState:
    listed = dict(_by_key(inventory.gpus, {*state.present, *state.missing}))
    changes: list[GpuChange] = []
    present, missing, unconfirmed = dict(state.present), dict(state.missing), dict[Key, datetime]()
    for key, tracked in state.present.items():
        if key in listed:
            continue
        last_seen = state.unconfirmed.get(key)
        if last_seen is None:
            unconfirmed[key] = seen_at
            continue
        missing[key] = MissingGpu(tracked.gpu, last_seen, key[1])
        changes.append(GpuChange(GpuChangeKind.LOST, at, tracked.gpu, last_seen))
        del present[key]
    has_lost = bool(changes)
    for key, gpu in listed.items():
        known, lost = present.get(key), missing.pop(key, None)
        change = _change(known.gpu if known else None, gpu, lost, at)
        if change:
            changes.append(change)
        if change or (known and known.gpu != gpu):
            present[key] = TrackedGpu(gpu, known.since if known and not change else at, key[1])
    excess = list(missing)[: max(0, len(missing) - MAX_TRACKED)]
    return replace(
        state,
        present=present,
        count=len(present),
        missing={key: each for key, each in missing.items() if key not in excess},
        unconfirmed=unconfirmed,
        needs_confirmation=bool(unconfirmed) and (has_lost or not state.unconfirmed),
        changes=tuple(changes),
    )


def _change(
    before: Gpu | None, gpu: Gpu, lost: MissingGpu | None, at: datetime
) -> GpuChange | None:
    last_seen = lost.last_seen if lost else None
    before = before or (lost.gpu if lost else None)
    if before and before.product_id != gpu.product_id:
        return GpuChange(GpuChangeKind.REPLACED, at, gpu, last_seen, before)
    if lost or before is None:
        return GpuChange(GpuChangeKind.FOUND, at, gpu, last_seen)
    if before.is_free != gpu.is_free:
        kind = GpuChangeKind.RELEASED if gpu.is_free else GpuChangeKind.ALLOCATED
        return GpuChange(kind, at, gpu)
    return None


def interrupt(state: GpuState) -> GpuState:
    """Return the state after a failed check: nothing is known until the next good one."""
    return replace(
        state,
        unconfirmed={},
        needs_confirmation=False,
        changes=(),
        last_good=None,
        counted=0.0,
        used=(),
    )


def forget(state: GpuState, slots: Collection[str]) -> GpuState:
    """Return the state without the missing GPUs of some slots."""
    kept = {key: each for key, each in state.missing.items() if key[0] not in slots}
    return replace(state, missing=kept, changes=(), counted=0.0, used=())


def restore(state: GpuState | None, stored: StoredGpus, seen_at: datetime) -> GpuState:
    """Return the state that continues what an earlier process remembered.

    What the earlier process saw and this one has not seen is lost if the next good check does not
    list it either.

    Args:
        state: The state of this process; `None` before its first good check.
        stored: What the earlier process remembered.
        seen_at: When a check of the earlier process last listed its GPUs.
    """
    before = GpuState(
        inventory=GpuInventory(gpus=tuple(each.gpu for each in stored.present)),
        seen_at=seen_at,
        present=keyed(stored.present),
        missing=keyed(stored.missing),
    )
    if state is None:
        return before
    return _join(_compare(before, state.inventory, state.seen_at, seen_at), state)


def _join(compared: GpuState, state: GpuState) -> GpuState:
    """Return the state of this process with what was compared; its own changes count once."""
    first = state.steady_since.utc if state.steady_since else state.seen_at
    own = {
        key: each
        for key, each in state.present.items()
        if key in state.unconfirmed or each.since > first
    }
    slots = {slot for slot, _ in own}
    present, unconfirmed = compared.present | own, compared.unconfirmed | state.unconfirmed
    return replace(
        state,
        present={key: each for key, each in present.items() if key not in state.missing},
        missing=compared.missing | state.missing,
        unconfirmed={key: at for key, at in unconfirmed.items() if key not in state.missing},
        needs_confirmation=compared.needs_confirmation,
        changes=tuple(
            each for each in compared.changes if not (each.kind.is_use and each.gpu.slot in slots)
        ),
        counted=0.0,
        used=(),
    )


def _expire(state: GpuState, now: Timestamp) -> GpuState:
    steady = state.steady_since
    if not state.missing or steady is None or now.monotonic - steady.monotonic < STEADY_TIME:
        return state
    kept = {
        key: each
        for key, each in state.missing.items()
        if now.utc - each.last_seen <= MAX_MISSING_TIME
    }
    return replace(state, missing=kept) if len(kept) < len(state.missing) else state


def _steady_since(since: Timestamp | None, now: Timestamp) -> Timestamp:
    if since is None:
        return now
    wall = (now.utc - since.utc).total_seconds()
    drift = wall - (now.monotonic - since.monotonic)
    return since if abs(drift) <= MAX_CLOCK_SKEW else now


def _by_key(gpus: Iterable[Gpu], known: Collection[Key]) -> Iterable[tuple[Key, Gpu]]:
    """Return the GPUs with their keys: all that are known, and others while there is room."""
    room = MAX_TRACKED - len(known)
    by_slot: dict[str, list[Gpu]] = {}
    for gpu in map(bounded, gpus):
        by_slot.setdefault(gpu.slot, []).append(gpu)
    for slot, same in by_slot.items():
        if len(same) > 1:
            same.sort(key=_order)
        for number, gpu in enumerate(same):
            key = slot, number
            if key not in known:
                room -= 1
                if room < 0:
                    continue
            yield key, gpu


def _order(gpu: Gpu) -> tuple[str, str, bool]:
    return gpu.product_id, gpu.description, gpu.is_free
