"""The incidents as the template shows them, by day."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.history import EntryGroup, EntryKind, Incident

__all__ = ["MAX_INCIDENTS", "incidents_context"]

MAX_INCIDENTS = 12


def incidents_context(
    found: Sequence[Incident], limit: int, gpus: GpuState | None, now: datetime
) -> dict[str, Any]:
    """Return the days with their incidents, and before which number the older ones begin.

    Args:
        found: The one that began last first: one more than is shown, where there are more.
        limit: At most so many are shown.
        gpus: What is known of the GPUs.
        now: The present time.
    """
    lost = gpus.missing.values() if gpus else ()
    missing = {(each.gpu.slot, each.gpu.product_id) for each in lost}
    shown = [_incident(each, missing, now) for each in found[:limit]]
    days = groupby(shown, key=lambda each: each["entry"].at.astimezone(UTC).date())
    return {
        "days": [(day, list(members)) for day, members in days],
        "before": found[limit - 1].entry.number if len(found) > limit else None,
    }


def _incident(
    incident: Incident, missing: AbstractSet[tuple[str, str]], now: datetime
) -> dict[str, Any]:
    """Return an incident with its length. Most changes of GPUs have none."""
    entry, end = incident.entry, incident.end
    gpu = entry.gpu
    lasts = end is None and (
        entry.kind.group is EntryGroup.STATUS
        or (entry.kind is EntryKind.GPU_LOST and gpu and (gpu.slot, gpu.product_id) in missing)
    )
    has_length = bool(lasts or end)
    return {
        "entry": entry,
        "later_reasons": incident.later_reasons,
        "has_ended": end is not None,
        "seconds": ((end or now) - incident.start).total_seconds() if has_length else None,
    }
