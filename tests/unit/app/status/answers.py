"""Answers of nodes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dstack_backend.adapters.httpx_status import MissingGpu, NodeAnswer, NodeStatus
from dstack_backend.app.status.addresses import NodeAddress, parse_address
from dstack_backend.domain.status import Status

__all__ = ["NODE", "NOW", "answer", "lost"]

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NODE: NodeAddress = parse_address("gpu-01")


def lost(slot: str, minutes: float) -> MissingGpu:
    """Return a GPU that was seen so many minutes ago."""
    return MissingGpu(slot, NOW - timedelta(minutes=minutes))


def answer(**fields: Any) -> NodeAnswer:
    """Return the answer of an available node with 8 GPUs for the last hour, with changes."""
    uptime = fields.pop("uptime", {"24h": 99.5, "7d": 98.0, "30d": 97.25})
    known: dict[str, Any] = {
        "status": Status.AVAILABLE,
        "reason": None,
        "message": "8 GPUs, 5 free",
        "last_change": NOW - timedelta(hours=1),
        "inventory": {"gpu_count": 8, "free_gpu_count": 5},
        "missing": (),
    }
    return NodeAnswer(NodeStatus(**known | fields), uptime)
