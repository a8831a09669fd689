"""What operators are told, as values."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import GpuEntry

__all__ = ["Event", "EventKind", "Level", "Message"]


class EventKind(StrEnum):
    """What happened."""

    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    FLAPPING = "flapping"
    NOT_RUNNING = "not_running"
    NO_GPUS = "no_gpus"
    GPUS_LISTED = "gpus_listed"
    GPU_LOST = "gpu_lost"
    GPU_RETURNED = "gpu_returned"
    GPU_REPLACED = "gpu_replaced"


class Event(Struct, frozen=True, kw_only=True):
    """Something that operators are told.

    Attributes:
        kind: What happened.
        at: When it happened; of several outages, when the last one began.
        since: When what is over began; of several outages, when the first one began; of a GPU that
            is or was missing, when it was last listed. `None` where there is no such time.
        seconds: How long what is over lasted; `None` where nothing is over.
        reason: Why the node is or was unavailable; `None` for other events.
        gpu: The GPU; `None` for other events.
        count: How many outages there were, or how many GPUs are listed.
    """

    kind: EventKind
    at: datetime
    since: datetime | None = None
    seconds: float | None = None
    reason: Reason | None = None
    gpu: GpuEntry | None = None
    count: int = 1


class Level(StrEnum):
    """Whether a message is good or bad news."""

    INFO = "info"
    SUCCESS = "success"
    FAILURE = "failure"


class Message(Struct, frozen=True, kw_only=True):
    """A message.

    Attributes:
        title: One line.
        body: Plain text.
        level: Whether it is good or bad news.
    """

    title: str
    body: str
    level: Level = Level.INFO
