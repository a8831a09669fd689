"""The domain: what is true of a node, as values and pure functions.

`assess` turns the result of a check into a status, `describe` turns the status into BackendInfo,
`encode` gives its bytes; `observe` and `status_at` add what time does to it. `spans` and `uptime`
reckon with its past.
"""

from dstack_backend.domain.backend_info import (
    DSTACK,
    DSTACK_TOPIC,
    BackendInfo,
    GpuMetadata,
    HealthResponse,
    Metadata,
    NodeIdentity,
    describe,
    describe_inventory,
    encode,
    encode_health,
)
from dstack_backend.domain.change import Change, change_between
from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.failure import CheckFailure, Reason
from dstack_backend.domain.gpu.inventory import Gpu, GpuInventory
from dstack_backend.domain.gpu.model import KNOWN_MODELS, model_of
from dstack_backend.domain.gpu.node_type import NoNodeType, node_type
from dstack_backend.domain.history.entry import (
    HistoryEntry,
    HistoryError,
    Span,
    SpanState,
    Uptime,
    entry_of,
    spans,
    timeline,
    uptime,
)
from dstack_backend.domain.history.gaps import (
    clock_rollback_gap,
    merge_takeover,
    overflow_gap,
    restart_gap,
    suspension_gap,
)
from dstack_backend.domain.monitor import (
    CheckPolicy,
    MonitorState,
    earliest_hinted_check,
    effective_result_at,
    next_check_at,
    observe,
    stale_at,
    status_at,
    status_since,
)
from dstack_backend.domain.ports import (
    ConnectivityWatcher,
    GpuSource,
    Health,
    HistoryReader,
    HistoryStore,
    Observer,
    UpdateNotifier,
)
from dstack_backend.domain.report import LastCheck, StatusReport, report
from dstack_backend.domain.status import BackendStatus, Status, assess
from dstack_backend.domain.timestamp import Timestamp

__all__ = [
    "DSTACK",
    "DSTACK_TOPIC",
    "KNOWN_MODELS",
    "BackendInfo",
    "BackendStatus",
    "Change",
    "Check",
    "CheckFailure",
    "CheckPolicy",
    "CheckResult",
    "ConnectivityWatcher",
    "Gpu",
    "GpuInventory",
    "GpuMetadata",
    "GpuSource",
    "Health",
    "HealthResponse",
    "HistoryEntry",
    "HistoryError",
    "HistoryReader",
    "HistoryStore",
    "LastCheck",
    "Metadata",
    "MonitorState",
    "NoNodeType",
    "NodeIdentity",
    "Observer",
    "Reason",
    "Span",
    "SpanState",
    "Status",
    "StatusReport",
    "Timestamp",
    "UpdateNotifier",
    "Uptime",
    "assess",
    "change_between",
    "clock_rollback_gap",
    "describe",
    "describe_inventory",
    "earliest_hinted_check",
    "effective_result_at",
    "encode",
    "encode_health",
    "entry_of",
    "merge_takeover",
    "model_of",
    "next_check_at",
    "node_type",
    "observe",
    "overflow_gap",
    "report",
    "restart_gap",
    "spans",
    "stale_at",
    "status_at",
    "status_since",
    "suspension_gap",
    "timeline",
    "uptime",
]
