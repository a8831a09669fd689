"""The statements on the table of entries, and the conversion between entries and rows.

A damaged row is left out: it must stop neither a reader nor the writer. A time must be of the years
1 to 9999; text and BLOBs compare greater than any number, and NULL compares to nothing.
"""

import json
import sys
from datetime import UTC, datetime

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import (
    EntryGroup,
    EntryKind,
    GapCause,
    GpuEntry,
    HistoryEntry,
    gpu_entry,
    is_same_entry,
)
from dstack_backend.domain.status import Status

_VALID = """
SELECT number, kind, at, before, after, reason, gap, slot, product_id, model, last_seen, message
FROM entry
WHERE at BETWEEN -62135596800 AND 253402300799 AND typeof(message) = 'text'
    AND (last_seen IS NULL OR last_seen BETWEEN -62135596800 AND 253402300799)
    AND typeof(slot) IN ('text', 'null') AND typeof(product_id) IN ('text', 'null')
    AND typeof(model) IN ('text', 'null') AND kind IN (SELECT value FROM json_each(?))
    AND number BETWEEN 1 AND 1000000000000000
"""
ENTRIES = f"{_VALID} ORDER BY number"
LAST = f"{_VALID} ORDER BY number DESC LIMIT 1"
INSERT = "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""A damaged row may have the number already."""
DELETE_OLD = "DELETE FROM entry WHERE number < ? AND kind IN (SELECT value FROM json_each(?))"

ALL_KINDS = json.dumps(list(EntryKind))
KINDS = {
    group: json.dumps([kind for kind in EntryKind if kind.group is group]) for group in EntryGroup
}
"""The kinds of each group, as the statements need them."""

ALIVE = "SELECT at FROM alive WHERE at BETWEEN -62135596800 AND 253402300799"
SET_ALIVE = "INSERT INTO alive VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at"

_STATUSES: dict[str | None, Status] = {each.value: each for each in Status}
_REASONS: dict[str | None, Reason] = {each.value: each for each in Reason}
_GAPS: dict[str | None, GapCause] = {each.value: each for each in GapCause}

Row = tuple[
    *tuple[int, str, float, str | None, str | None, str | None, str | None],
    *tuple[str | None, str | None, str | None, float | None, str],
]
"""A row of the table `entry`."""


def row_from_entry(entry: HistoryEntry) -> Row:
    """Return the row of an entry."""
    codes = entry.before, entry.after, entry.reason, entry.gap
    gpu = entry.gpu
    last_seen = gpu.last_seen.timestamp() if gpu and gpu.last_seen else None
    slot, product_id = (gpu.slot, gpu.product_id) if gpu else (None, None)
    fields = slot, product_id, gpu.model if gpu else None, last_seen
    return entry.number, entry.kind, entry.at.timestamp(), *codes, *fields, entry.message


def entry_from_row(row: Row) -> HistoryEntry:
    """Return the entry of a row. A code that only a newer version knows becomes `None`."""
    number, kind, at, before, after, reason, gap, slot, product_id, model, last_seen, message = row
    known_kind = EntryKind(kind)
    is_gpu = known_kind.group is not EntryGroup.STATUS
    return HistoryEntry(
        kind=known_kind,
        at=time_from(at),
        before=_STATUSES.get(before),
        after=_STATUSES.get(after),
        reason=_REASONS.get(reason),
        gap=_GAPS.get(gap),
        gpu=_gpu(slot, product_id, model, last_seen) if is_gpu else None,
        message=sys.intern(message),
        number=number,
    )


def _gpu(
    slot: str | None, product_id: str | None, model: str | None, last_seen: float | None
) -> GpuEntry:
    seen = None if last_seen is None else time_from(last_seen)
    return gpu_entry(slot or "", product_id or "", model, seen)


def is_same(row: Row | None, entry: HistoryEntry | None) -> bool:
    """Return whether a row is that of an entry, by the precision that the file has."""
    if row is None or entry is None:
        return row is None and entry is None
    return is_same_entry(entry_from_row(row), entry_from_row(row_from_entry(entry)))


def time_from(seconds: float) -> datetime:
    """Return the time of a number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
