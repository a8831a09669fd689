"""Compares each listing of the GPUs with the one before: what is lost, found, replaced or in use.

1. Compared are the slots. Where several GPUs have the same slot, they are numbered in the order of
   their product ids; the order of the listing has no meaning.
2. A GPU that is not listed is lost when the next good check does not list it either: while lspci
   fails half-way, DStack lists fewer GPUs once. That check comes 1 s later. A failed check between
   the two begins anew. At most one such check is made for a loss: where none is confirmed, the
   next ones come with the schedule, until a good check lists all GPUs or a loss is confirmed.
3. A lost GPU is missing until it is listed again, is forgotten, or 30 days have passed. Days count
   only by a clock that has run for an hour without being set, and from a time that it can show.
4. The time between two good checks in a row counts as known, with the use that the first listed.

At most `MAX_TRACKED` GPUs are present, and as many missing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

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
from dstack_backend.domain.timestamp import MIN_VALID_TIME, Timestamp

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
    before = state or GpuState(seen_at=now.utc)
    last_good, unconfirmed = before.last_good, before.unconfirmed
    is_tracked = len(before.present) >= min(len(inventory.gpus), MAX_TRACKED)
    if last_good and not unconfirmed and is_tracked and inventory.gpus == before.inventory.gpus:
        after = replace(before, needs_confirmation=False, changes=())
    else:
        after = _compare(before, inventory, now.utc)
    used = before.present
    if unconfirmed:
        used = {key: each for key, each in before.present.items() if key not in unconfirmed}
    elapsed = now.monotonic - last_good.monotonic if last_good else 0.0
    tracked = replace(
        after,
        inventory=inventory,
        seen_at=now.utc,
        changes=after.changes if state else (),
        last_good=now,
        counted=elapsed if 0 < elapsed <= max_gap else 0.0,
        used=used,
        steady_since=_steady_since(before.steady_since, now),
    )
    return _expire(tracked, now)


def _compare(state: GpuState, inventory: GpuInventory, at: datetime) -> GpuState:
    listed = _by_key(inventory.gpus, state.present, state.missing)
    changes: list[GpuChange] = []
    present, missing, unconfirmed = dict(state.present), dict(state.missing), dict[Key, datetime]()
    is_short = not state.present.keys() <= listed.keys()
    for key in [each for each in state.present if each not in listed] if is_short else ():
        last_seen = state.unconfirmed.get(key, state.seen_at)
        if key not in state.unconfirmed or not state.last_good:
            unconfirmed[key] = last_seen
            continue
        tracked = present.pop(key)
        missing[key] = MissingGpu(tracked.gpu, last_seen, key[1])
        changes.append(GpuChange(GpuChangeKind.LOST, at, tracked.gpu, last_seen))
    has_lost = bool(changes)
    for key, gpu in listed.items():
        known = present.get(key)
        if known and known.gpu == gpu:
            continue
        if known and (same := replace(known.gpu, is_free=gpu.is_free)) == gpu:
            gpu = same  # noqa: PLW2901 - the changes of 30 days share its texts
        change = _change(known.gpu if known else None, gpu, missing.pop(key, None), at)
        if change:
            changes.append(change)
        present[key] = TrackedGpu(gpu, known.since if known and not change else at, key[1])
    missing = dict(islice(missing.items(), max(0, len(missing) - MAX_TRACKED), None))
    return replace(
        state,
        # The same object where nothing changed: it is not saved again.
        present=state.present if present == state.present else present,
        missing=state.missing if missing == state.missing else missing,
        count=len(present),
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
        state, needs_confirmation=False, changes=(), last_good=None, counted=0.0, used={}
    )


def forget(state: GpuState, slots: Collection[str]) -> GpuState:
    """Return the state without the missing GPUs of some slots."""
    kept = {key: each for key, each in state.missing.items() if key[0] not in slots}
    return replace(state, missing=kept, changes=(), counted=0.0, used={})


def restore(state: GpuState | None, stored: StoredGpus, seen_at: datetime) -> GpuState:
    """Return the state that continues what an earlier process remembered.

    What the earlier process saw and this one has not seen is lost if the next good check does not
    list it either.

    Args:
        state: The state of this process; `None` before its first good check.
        stored: What the earlier process remembered.
        seen_at: When a check of the earlier process last listed its GPUs.
    """
    before = _restored(state, stored, seen_at)
    if state is None:
        return before
    compared = _compare(before, state.inventory, state.seen_at)
    first = state.steady_since.utc if state.steady_since else state.seen_at
    own = {key: each for key, each in state.present.items() if each.since > first}
    slots = {slot for slot, _ in own}
    return replace(
        compared,
        inventory=state.inventory,
        seen_at=state.seen_at,
        present=compared.present | own,
        count=state.count,
        needs_confirmation=state.needs_confirmation,
        # What this process has seen to change is reported already.
        changes=tuple(
            each for each in compared.changes if each.last_seen or each.gpu.slot not in slots
        ),
        last_good=state.last_good,
        steady_since=state.steady_since,
    )


def _restored(state: GpuState | None, stored: StoredGpus, seen_at: datetime) -> GpuState:
    """Return what is stored, with the GPUs that this process has seen and does not list now."""
    present, missing = keyed(stored.present), keyed(stored.missing)
    unconfirmed = state.unconfirmed if state else {}
    if state:
        present |= {key: state.present[key] for key in unconfirmed}
        missing = {key: each for key, each in missing.items() if key not in unconfirmed}
        missing |= state.missing
    return GpuState(
        seen_at=seen_at,
        present={key: each for key, each in present.items() if key not in missing},
        missing=missing,
        unconfirmed=unconfirmed,
    )


def _expire(state: GpuState, now: Timestamp) -> GpuState:
    steady = state.steady_since
    if not state.missing or steady is None or now.monotonic - steady.monotonic < STEADY_TIME:
        return state
    kept = {
        key: each
        for key, each in state.missing.items()
        if now.utc - each.last_seen <= MAX_MISSING_TIME or each.last_seen < MIN_VALID_TIME
    }
    return replace(state, missing=kept) if len(kept) < len(state.missing) else state


def _steady_since(since: Timestamp | None, now: Timestamp) -> Timestamp:
    if since is None:
        return now
    wall = (now.utc - since.utc).total_seconds()
    drift = wall - (now.monotonic - since.monotonic)
    return since if abs(drift) <= MAX_CLOCK_SKEW else now


def _by_key(
    gpus: Sequence[Gpu], present: Mapping[Key, object], missing: Collection[Key]
) -> dict[Key, Gpu]:
    """Return the GPUs by their keys: all that are present, and others while there is room."""
    listed = {(gpu.slot, 0): gpu for gpu in map(bounded, gpus)}
    if len(listed) < len(gpus):
        listed = _numbered(gpus)
    if len(listed) + len(present) > MAX_TRACKED and not listed.keys() <= present.keys():
        others = sorted(listed.keys() - present.keys(), key=lambda key: (key not in missing, key))
        for key in others[max(0, MAX_TRACKED - len(present)) :]:
            del listed[key]
    return listed


def _numbered(gpus: Sequence[Gpu]) -> dict[Key, Gpu]:
    by_slot: dict[str, list[Gpu]] = {}
    for gpu in sorted(map(bounded, gpus), key=_order):
        by_slot.setdefault(gpu.slot, []).append(gpu)
    return {
        (slot, number): gpu for slot, same in by_slot.items() for number, gpu in enumerate(same)
    }


def _order(gpu: Gpu) -> tuple[str, str, bool]:
    return gpu.product_id, gpu.description, gpu.is_free
