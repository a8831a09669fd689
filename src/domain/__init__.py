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
    HealthAnswer,
    Identity,
    Metadata,
    answer_with,
    describe,
    describe_inventory,
    encode,
)
from dstack_backend.domain.change import Change, change_between
from dstack_backend.domain.check import Check, CheckResult
from dstack_backend.domain.failure import CheckFailure, Reason
from dstack_backend.domain.gaps import absence, gap_entry, lost_entry, set_back, taken_over
from dstack_backend.domain.gpu_model import KNOWN_MODELS, model_of
from dstack_backend.domain.history import (
    HistoryEntry,
    HistoryError,
    Known,
    Span,
    Uptime,
    entry_of,
    spans,
    timeline,
    uptime,
)
from dstack_backend.domain.inventory import Gpu, GpuInventory
from dstack_backend.domain.moment import Moment
from dstack_backend.domain.monitor import (
    MonitorState,
    Policy,
    hinted_check_at,
    next_check_at,
    observe,
    result_at,
    since_at,
    stale_from,
    status_at,
)
from dstack_backend.domain.node_type import NoNodeType, node_type
from dstack_backend.domain.ports import (
    DStack,
    Health,
    History,
    News,
    Observer,
    Past,
    Presence,
)
from dstack_backend.domain.report import LastCheck, StatusReport, report
from dstack_backend.domain.status import BackendStatus, Status, assess

__all__ = [
    "DSTACK",
    "DSTACK_TOPIC",
    "KNOWN_MODELS",
    "BackendInfo",
    "BackendStatus",
    "Change",
    "Check",
    "CheckFailure",
    "CheckResult",
    "DStack",
    "Gpu",
    "GpuInventory",
    "GpuMetadata",
    "Health",
    "HealthAnswer",
    "History",
    "HistoryEntry",
    "HistoryError",
    "Identity",
    "Known",
    "LastCheck",
    "Metadata",
    "Moment",
    "MonitorState",
    "News",
    "NoNodeType",
    "Observer",
    "Past",
    "Policy",
    "Presence",
    "Reason",
    "Span",
    "Status",
    "StatusReport",
    "Uptime",
    "absence",
    "answer_with",
    "assess",
    "change_between",
    "describe",
    "describe_inventory",
    "encode",
    "entry_of",
    "gap_entry",
    "hinted_check_at",
    "lost_entry",
    "model_of",
    "next_check_at",
    "node_type",
    "observe",
    "report",
    "result_at",
    "set_back",
    "since_at",
    "spans",
    "stale_from",
    "status_at",
    "taken_over",
    "timeline",
    "uptime",
]
