"""The domain: the state of a node as values, and its rules as pure functions.

`assess` turns the result of a check into a status, `describe` turns a status into BackendInfo, and
`encode_health` encodes it. `observe` and `status_at` add thresholds and staleness, and compare the
GPUs from check to check: `GpuState`. `spans`, `timeline` and `uptime` compute with the history.
"""

from dstack_backend.domain.backend_info import (
    BackendInfo,
    HealthResponse,
    NodeIdentity,
    describe,
    encode_health,
)
from dstack_backend.domain.check import Check, CheckFailure, CheckResult, FailureCause, Reason
from dstack_backend.domain.gpu import (
    Gpu,
    GpuChange,
    GpuChangeKind,
    GpuInventory,
    GpuInventoryMetadata,
    GpuMetadata,
    GpuState,
    MissingGpu,
    TrackedGpu,
    model_of,
    node_type,
)
from dstack_backend.domain.history import (
    EntryKind,
    HistoryEntry,
    Uptime,
    spans,
    timeline,
    uptime,
)
from dstack_backend.domain.inventory import Inventory
from dstack_backend.domain.monitor import (
    CheckPolicy,
    MonitorState,
    next_check_at,
    observe,
    status_at,
)
from dstack_backend.domain.ports import ConnectivityWatcher, GpuSource, Observer
from dstack_backend.domain.report import StatusReport, report
from dstack_backend.domain.status import BackendStatus, Change, Status, assess
from dstack_backend.domain.timestamp import Timestamp

__all__ = [
    "BackendInfo",
    "BackendStatus",
    "Change",
    "Check",
    "CheckFailure",
    "CheckPolicy",
    "CheckResult",
    "ConnectivityWatcher",
    "EntryKind",
    "FailureCause",
    "Gpu",
    "GpuChange",
    "GpuChangeKind",
    "GpuInventory",
    "GpuInventoryMetadata",
    "GpuMetadata",
    "GpuSource",
    "GpuState",
    "HealthResponse",
    "HistoryEntry",
    "Inventory",
    "MissingGpu",
    "MonitorState",
    "NodeIdentity",
    "Observer",
    "Reason",
    "Status",
    "StatusReport",
    "Timestamp",
    "TrackedGpu",
    "Uptime",
    "assess",
    "describe",
    "encode_health",
    "model_of",
    "next_check_at",
    "node_type",
    "observe",
    "report",
    "spans",
    "status_at",
    "timeline",
    "uptime",
]
