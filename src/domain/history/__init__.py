"""The history of a node: entries, the gaps between them, and the uptime computed from them."""

from dstack_backend.domain.history.entry import (
    DEFAULT_KINDS,
    EntryGroup,
    EntryKind,
    GapCause,
    GpuEntry,
    HistoryEntry,
    SpanState,
    entry_for,
    entry_for_gpu,
    gpu_entry,
    is_same_entry,
    latest,
    status_entries,
)
from dstack_backend.domain.history.gaps import (
    interruption,
    last_shared,
    merge_takeover,
    restart_gap,
)
from dstack_backend.domain.history.incidents import Incident, incidents
from dstack_backend.domain.history.stored import (
    GpuUpdate,
    HistoryConflict,
    HistoryError,
    StoredHistory,
)
from dstack_backend.domain.history.uptime import (
    WINDOWS,
    Span,
    Uptime,
    record_start,
    spans,
    timeline,
    uptime,
    uptime_windows,
)

__all__ = [
    "DEFAULT_KINDS",
    "WINDOWS",
    "EntryGroup",
    "EntryKind",
    "GapCause",
    "GpuEntry",
    "GpuUpdate",
    "HistoryConflict",
    "HistoryEntry",
    "HistoryError",
    "Incident",
    "Span",
    "SpanState",
    "StoredHistory",
    "Uptime",
    "entry_for",
    "entry_for_gpu",
    "gpu_entry",
    "incidents",
    "interruption",
    "is_same_entry",
    "last_shared",
    "latest",
    "merge_takeover",
    "record_start",
    "restart_gap",
    "spans",
    "status_entries",
    "timeline",
    "uptime",
    "uptime_windows",
]
