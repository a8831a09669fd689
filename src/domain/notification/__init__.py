"""What operators are told, and when: from entries of the history to batches of events.

1. Unavailability is told when it has lasted for `after` seconds; `stale` is told at once, as the
   checks are late for long by then. The return is told afterwards. An outage that ends earlier is
   not told. Three of them in a row are: the node flaps.
2. A GPU that is lost, has returned or was replaced is told at once: its loss is confirmed already.
3. A listing without GPUs is told when it has lasted for `after` seconds of good checks, and the
   first GPUs afterwards. It is not told where GPUs are known: the loss of each of them is.
4. Two batches are at least `every` seconds apart. What happens in between is in the next one.
5. A restart of the service is told when it did not run for longer than `after`. What it told
   before follows from its history: a new process continues with the state of the earlier one. A
   batch counts as told when it is taken; what the earlier process could not send is lost.
"""

from dstack_backend.domain.notification.event import Event, EventKind, Level, Message
from dstack_backend.domain.notification.resume import resume
from dstack_backend.domain.notification.rules import (
    NotifyPolicy,
    NotifyState,
    due_at,
    on_entry,
    on_gpus,
    take,
)

__all__ = [
    "Event",
    "EventKind",
    "Level",
    "Message",
    "NotifyPolicy",
    "NotifyState",
    "due_at",
    "on_entry",
    "on_gpus",
    "resume",
    "take",
]
