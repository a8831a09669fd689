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
    is_same_entry,
    latest,
)
from dstack_backend.domain.history.gaps import (
    interruption,
    last_shared,
    merge_takeover,
    restart_gap,
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
    "entry_for",
    "interruption",
    "is_same_entry",
    "last_shared",
    "latest",
    "merge_takeover",
    "restart_gap",
    "spans",
    "timeline",
    "uptime",
    "uptime_windows",
]
