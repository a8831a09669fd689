"""The history of a node: entries, the gaps between them, and the uptime computed from them."""

from dstack_backend.domain.history.entry import (
    MIN_VALID_TIME,
    GapCause,
    HistoryConflict,
    HistoryEntry,
    HistoryError,
    SpanState,
    StoredHistory,
    entry_for,
    latest,
)
from dstack_backend.domain.history.gaps import (
    clock_rollback_gap,
    merge_takeover,
    restart_gap,
    suspension_gap,
)
from dstack_backend.domain.history.uptime import (
    WINDOWS,
    Span,
    Uptime,
    spans,
    timeline,
    uptime,
    uptime_windows,
)

__all__ = [
    "MIN_VALID_TIME",
    "WINDOWS",
    "GapCause",
    "HistoryConflict",
    "HistoryEntry",
    "HistoryError",
    "Span",
    "SpanState",
    "StoredHistory",
    "Uptime",
    "clock_rollback_gap",
    "entry_for",
    "latest",
    "merge_takeover",
    "restart_gap",
    "spans",
    "suspension_gap",
    "timeline",
    "uptime",
    "uptime_windows",
]
