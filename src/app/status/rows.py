"""What is shown of each node: one row, made of its answer or of the failure to get one."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from msgspec import Struct

from dstack_backend.adapters.httpx_status import MissingGpu, NodeAnswer, NodeStatus
from dstack_backend.app.status.addresses import NodeAddress
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.domain.formatting import cut
from dstack_backend.domain.gpu import degraded_since
from dstack_backend.domain.status import Status

__all__ = ["NodeRow", "NodeState", "StatusOutput", "exit_code", "make_row"]

MAX_NAME, MAX_MESSAGE, MAX_SLOT, MAX_SLOTS = 40, 300, 20, 3
MAX_COUNT = 99_999


class NodeState(StrEnum):
    """The state of a node as an operator sees it."""

    AVAILABLE = "available"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"
    STALE = "stale"
    NO_ANSWER = "no_answer"


class NodeRow(Struct, frozen=True, kw_only=True):
    """One node. Its texts are printable and bounded.

    Attributes:
        url: Where it was asked.
        name: What it is called.
        status: Its state.
        since: Since when, by the node's clock; for a node without an answer by the local one.
            `None` where it is not known.
        reason: The code of the reason; `None` while it is available.
        message: The same for people, or a summary.
        gpus_in_use: Number of GPUs in use; `None` where it is not known.
        gpus_free: Number of unused GPUs.
        gpus_missing: Number of GPUs that were lost.
        uptime_24h: Share of the known time in which it was available, in percent.
        uptime_30d: The same of 30 days.
    """

    url: str
    name: str
    status: NodeState
    since: datetime | None = None
    reason: str | None = None
    message: str
    gpus_in_use: int | None = None
    gpus_free: int | None = None
    gpus_missing: int | None = None
    uptime_24h: float | None = None
    uptime_30d: float | None = None


class StatusOutput(Struct, frozen=True):
    """The output as JSON."""

    time: datetime
    exit_code: int
    nodes: list[NodeRow]


def make_row(address: NodeAddress, answer: NodeAnswer | CheckFailure) -> NodeRow:
    """Return the row of a node."""
    if isinstance(answer, CheckFailure):
        return NodeRow(
            url=address.shown,
            name=cut(address.name, MAX_NAME),
            status=NodeState.NO_ANSWER,
            reason=answer.reason,
            message=answer.message,
        )
    status, state = answer.status, _state(answer.status)
    in_use, free = _counts(status.inventory)
    missing = status.missing or ()
    is_lost = state is NodeState.DEGRADED and bool(missing)
    return NodeRow(
        url=address.shown,
        name=cut(status.node or address.name, MAX_NAME),
        status=state,
        since=_since(status, is_lost=is_lost),
        reason=None if status.reason is None else cut(status.reason, MAX_NAME),
        message=_missing(missing) if is_lost else cut(status.message, MAX_MESSAGE),
        gpus_in_use=in_use,
        gpus_free=free,
        gpus_missing=None if status.missing is None else len(missing),
        uptime_24h=answer.uptime.get("24h"),
        uptime_30d=answer.uptime.get("30d"),
    )


def exit_code(rows: Iterable[NodeRow]) -> int:
    """Return 0 if all nodes are available and complete, and 1 otherwise."""
    return int(any(each.status is not NodeState.AVAILABLE for each in rows))


def _state(status: NodeStatus) -> NodeState:
    if status.status is Status.UNAVAILABLE:
        return NodeState.STALE if status.reason == Reason.STALE else NodeState.UNAVAILABLE
    return NodeState.DEGRADED if status.degraded else NodeState.AVAILABLE


def _since(status: NodeStatus, *, is_lost: bool) -> datetime:
    missing = status.missing if is_lost else None
    return degraded_since(status.last_change, (each.last_seen for each in missing or ()))


def _counts(inventory: Any) -> tuple[int | None, int | None]:
    """Return the numbers of GPUs in use and free, where the inventory is one of GPUs."""
    if not isinstance(inventory, dict):
        return None, None
    fields = cast("dict[str, Any]", inventory)
    count, free = fields.get("gpu_count"), fields.get("free_gpu_count")
    if type(count) is not int or type(free) is not int or not 0 <= free <= count <= MAX_COUNT:
        return None, None
    return count - free, free


def _missing(gpus: tuple[MissingGpu, ...]) -> str:
    slots = [cut(each.slot, MAX_SLOT) for each in gpus[:MAX_SLOTS]]
    rest = len(gpus) - len(slots)
    return f"missing: {', '.join(slots)}{f' and {rest} more' if rest else ''}"
