"""Sends what the rules of `domain.notification` decide, to each address independently.

Sending delays neither a check nor an answer: each message is sent in a thread, one at a time for
each address. What could not be sent is tried again, in one message with what has happened since.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread

from dstack_backend.app.monitoring.clock import Clock, read, wait_event
from dstack_backend.app.monitoring.supervisor import keep_running
from dstack_backend.domain.check import Check
from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.history import HistoryEntry, StoredHistory, entry_for, entry_for_gpu
from dstack_backend.domain.notification import (
    Event,
    Message,
    NotifyPolicy,
    NotifyState,
    due_at,
    on_entry,
    on_gpus,
    resume,
    take,
)
from dstack_backend.domain.ports import Health, MessageTarget
from dstack_backend.domain.report import StatusReport
from dstack_backend.domain.status import Change
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Notifications"]

_log = logging.getLogger(__name__)

LOAD_TIMEOUT = 10.0
"""Seconds to wait for the history at the start. A disk that hangs must not delay messages."""

FIRST_RETRY, MAX_RETRY = 30.0, 600.0
"""Seconds before a message that could not be sent is tried again: doubled each time."""

MAX_EVENTS = 100
"""Events for which an address can wait. The oldest ones are dropped."""

MAX_UPDATES = 1000
"""Updates that can wait for the history."""

Update = Callable[[NotifyState], NotifyState]
Write = Callable[[Sequence[Event], StatusReport], Message]


class Notifications:
    """Observes the monitor, and sends messages to all addresses."""

    def __init__(
        self,
        targets: Sequence[MessageTarget],
        write: Write,
        policy: NotifyPolicy,
        clock: Clock,
        hint: str = "",
    ) -> None:
        """Send nothing yet.

        Args:
            targets: The addresses.
            write: Returns the message about events, for the present status.
            policy: When messages are sent.
            clock: Time.
            hint: The end of the log line about a message that could not be sent.
        """
        self._targets = targets
        self._hint = hint
        self._write = write
        self._policy = policy
        self._clock = clock
        self._state = NotifyState()
        self._updates: deque[Update] = deque(maxlen=MAX_UPDATES)
        self._is_loaded = False
        self._is_started = False
        self._wake = asyncio.Event()

    def on_check(self, check: Check) -> None:
        """Do nothing: only changes are told."""

    def on_change(self, change: Change) -> None:
        """Note a change of the status."""
        if entry := entry_for(change):
            self._add_entry(entry, change.at)
            self._is_started = True

    def on_gpus(self, gpus: GpuState) -> None:
        """Note the changes of the GPUs, and whether there are any."""
        for change in gpus.changes:
            if not change.kind.is_use:
                self._add_entry(entry_for_gpu(change), read(self._clock))
        self._add(lambda state: on_gpus(state, gpus))

    def _add_entry(self, entry: HistoryEntry, at: Timestamp) -> None:
        self._add(lambda state: on_entry(state, entry, at, self._policy))

    def _add(self, update: Update) -> None:
        self._updates.append(update)
        self._wake.set()

    def on_load(self, stored: StoredHistory) -> None:
        """Continue what an earlier process told. Only the first call in time counts."""
        if not self._is_loaded:
            self._state = resume(stored, read(self._clock), self._policy)
            self._is_loaded = True
            self._wake.set()

    async def run(self, health: Health) -> None:
        """Send until cancelled. Nothing is sent before the first change of the status."""
        queues = [
            _Queue(f"{number} ({each.name})", each, self._write, health, self._clock, self._hint)
            for number, each in enumerate(self._targets, 1)
        ]
        tasks = [asyncio.create_task(keep_running(each.run, self._clock)) for each in queues]
        self._wake = asyncio.Event()  # each event loop needs its own
        load_until = self._clock.monotonic() + LOAD_TIMEOUT
        try:
            while True:
                self._wake.clear()
                events, due = self._take(load_until)
                for queue in queues if events else ():
                    queue.put(events)
                pause = None if due is None else max(0.0, due - self._clock.monotonic())
                await wait_event(self._wake, pause, self._clock)
        finally:
            for task in tasks:
                task.cancel()

    def _take(self, load_until: float) -> tuple[Sequence[Event], float | None]:
        """Return the events that are due, and when the next look is; `None`: at the next change."""
        now = self._clock.monotonic()
        self._is_loaded = self._is_loaded or now >= load_until
        if not self._is_loaded:
            return (), load_until
        if not self._is_started:
            return (), None
        while self._updates:
            self._state = self._updates.popleft()(self._state)
        self._state, events = take(self._state, now, self._policy)
        return events, due_at(self._state, self._policy)


class _Queue:
    """The events that one address has not received yet."""

    def __init__(
        self,
        name: str,
        target: MessageTarget,
        write: Write,
        health: Health,
        clock: Clock,
        hint: str,
    ) -> None:
        self._name = name
        self._hint = hint
        self._target = target
        self._write = write
        self._health = health
        self._clock = clock
        self._events: list[Event] = []
        self._wake = asyncio.Event()

    def put(self, events: Sequence[Event]) -> None:
        self._events = [*self._events, *events][-MAX_EVENTS:]
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            pause = FIRST_RETRY
            while not await self._send():
                if pause == FIRST_RETRY:
                    text = "no message could be sent to address %s; retrying%s"
                    _log.warning(text, self._name, self._hint)
                await self._clock.sleep(pause)
                pause = min(2 * pause, MAX_RETRY)
            if pause != FIRST_RETRY:
                _log.info("messages to address %s are sent again", self._name)

    async def _send(self) -> bool:
        """Send all events. Those that come meanwhile are in the next message."""
        events, self._events = self._events, []
        is_sent = not events or await _send_in_thread(
            self._target, self._write(events, self._health.report())
        )
        if not is_sent:
            self._events = [*events, *self._events][-MAX_EVENTS:]
        return is_sent


async def _send_in_thread(target: MessageTarget, message: Message) -> bool:
    """Send a message in a daemon thread: one that hangs does not delay the end of the process."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bool] = loop.create_future()

    def finish(*, is_sent: bool) -> None:
        if not result.done():
            result.set_result(is_sent)

    def send() -> None:
        try:
            is_sent = target.send(message.title, message.body, message.level)
        except Exception:  # noqa: BLE001 - a faulty target must not end all sending
            is_sent = False
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: finish(is_sent=is_sent))

    Thread(target=send, name="notifier", daemon=True).start()
    return await result
