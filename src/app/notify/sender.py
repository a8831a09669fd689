"""Sends what the rules of `domain.notification` decide, to each address by itself.

Sending delays neither a check nor an answer: it has a thread for each address. What could not be
sent is tried again, with all that has happened since in one message.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from dstack_backend.app.monitoring.clock import Clock, read
from dstack_backend.domain.check import Check
from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.notification import (
    Event,
    Message,
    NotifyPolicy,
    NotifyState,
    due_at,
    on_change,
    on_gpus,
    take,
)
from dstack_backend.domain.ports import MessageTarget
from dstack_backend.domain.status import Change

__all__ = ["Notifications"]

_log = logging.getLogger(__name__)

FIRST_RETRY, MAX_RETRY = 30.0, 600.0
"""Seconds before a message that could not be sent is tried again: doubled each time."""

MAX_EVENTS = 100
"""Events that an address can wait for. Older ones are dropped."""


class Notifications:
    """Observes the monitor, and sends messages to all addresses."""

    def __init__(
        self,
        targets: Sequence[MessageTarget],
        write: Callable[[Sequence[Event]], Message],
        policy: NotifyPolicy,
        clock: Clock,
    ) -> None:
        """Send nothing yet. `write` returns the text of a message about some events."""
        self._queues = [_Queue(target, write, clock) for target in targets]
        self._policy = policy
        self._clock = clock
        self._state = NotifyState()
        self._wake = asyncio.Event()

    def on_check(self, check: Check) -> None:
        """Do nothing: only changes are worth a message."""

    def on_change(self, change: Change) -> None:
        """Note a change of the status."""
        self._state = on_change(self._state, change, self._policy)
        self._wake.set()

    def on_gpus(self, gpus: GpuState) -> None:
        """Note GPUs that were lost or have returned."""
        if gpus.changes:
            self._state = on_gpus(self._state, gpus)
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        self._wake = asyncio.Event()  # each event loop needs its own
        queues = [asyncio.create_task(queue.run()) for queue in self._queues]
        try:
            while True:
                self._wake.clear()
                now = read(self._clock)
                self._state, events = take(self._state, now, self._policy)
                for queue in self._queues if events else ():
                    queue.put(events)
                due = due_at(self._state, self._policy)
                await _wait(self._wake, self._clock, None if due is None else due - now.monotonic)
        finally:
            for task in queues:
                task.cancel()


class _Queue:
    """The events that one address has not got yet."""

    def __init__(
        self, target: MessageTarget, write: Callable[[Sequence[Event]], Message], clock: Clock
    ) -> None:
        self._target = target
        self._write = write
        self._clock = clock
        self._events: list[Event] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "notifier")

    def put(self, events: Sequence[Event]) -> None:
        self._events = [*self._events, *events][-MAX_EVENTS:]
        self._wake.set()

    async def run(self) -> None:
        self._wake = asyncio.Event()
        failures = 0
        while True:
            pause = min(FIRST_RETRY * 2.0 ** (failures - 1), MAX_RETRY) if failures else None
            if not self._events or failures:
                await _wait(self._wake, self._clock, pause)
            self._wake.clear()
            failures = failures + 1 if self._events and not await self._send() else 0
            if failures == 1:
                _log.warning(
                    "a message to %s could not be sent; it is tried again", self._target.name
                )

    async def _send(self) -> bool:
        events = tuple(self._events)
        message = self._write(events)
        loop = asyncio.get_running_loop()
        is_sent = await loop.run_in_executor(
            self._thread, self._target.send, message.title, message.body
        )
        if is_sent:
            self._events = self._events[len(events) :]
        return is_sent


async def _wait(event: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Wait for an event, at most so many seconds; `None` for no limit."""
    waiting = {asyncio.ensure_future(event.wait())}
    if seconds is not None:
        waiting.add(asyncio.ensure_future(clock.sleep(max(0.0, seconds))))
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
