"""Notifications with a virtual clock, and addresses that refuse and hang on demand."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from dstack_backend.app.monitoring.clock import read
from dstack_backend.app.notify.sender import Notifications
from dstack_backend.domain import CheckFailure, GpuInventory, Reason, StatusReport, assess
from dstack_backend.domain.notification import Event, Level, Message, NotifyPolicy
from dstack_backend.domain.status import BackendStatus, Change
from dstack_backend.testing.fakes import FakeClock, FakeHealth
from tests.unit.app.history.harness import eventually

__all__ = ["FakeTarget", "NotifyHarness", "kinds"]

_UP = assess(GpuInventory())
_DOWN = assess(CheckFailure(Reason.TIMED_OUT))
_STARTING = assess(CheckFailure(Reason.STARTING))


class FakeTarget:
    """An address.

    Attributes:
        name: Its name.
        sent: The bodies that it accepted.
        levels: The levels of all messages that it was given.
        tries: How many messages it was given.
        error: What each send raises.
        accepts: Whether it accepts messages.
        answering: While it is cleared, each call hangs.
    """

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.sent: list[str] = []
        self.levels: list[Level] = []
        self.tries = 0
        self.error: Exception | None = None
        self.accepts = True
        self.answering = threading.Event()
        self.answering.set()
        self._thread = threading.current_thread()

    def send(self, title: str, body: str, level: Level = Level.INFO) -> bool:
        """Accept the message, unless it hangs, fails or refuses."""
        assert title
        self._thread = threading.current_thread()
        self.tries += 1
        self.answering.wait(10)
        if self.error:
            raise self.error
        self.levels += [level]
        self.sent += [body] if self.accepts else []
        return self.accepts

    def has_answered(self, count: int) -> bool:
        """Return whether it was given so many messages, and the thread of the last one ended."""
        return self.tries >= count and not self._thread.is_alive()


def kinds(events: Sequence[Event], _: StatusReport) -> Message:
    """Return a message that names what happened."""
    return Message(title="title", body=" ".join(each.kind for each in events), level=Level.FAILURE)


class NotifyHarness:
    """Notifications to some addresses."""

    def __init__(
        self, *targets: FakeTarget, policy: NotifyPolicy | None = None, hint: str = ""
    ) -> None:
        self.clock = FakeClock()
        self.targets = list(targets) or [FakeTarget()]
        self.notifications = Notifications(
            self.targets, kinds, policy or NotifyPolicy(), self.clock, hint
        )
        self._status = _STARTING

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Run, and assert that no task is left behind."""
        task = asyncio.create_task(self.notifications.run(FakeHealth()))
        await self.clock.advance(0)
        yield
        task.cancel()
        await asyncio.wait({task})
        await self.clock.advance(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def up(self) -> None:
        """Become available."""
        self.change(_UP)

    def down(self) -> None:
        """Become unavailable."""
        self.change(_DOWN)

    def change(self, status: BackendStatus) -> None:
        """Change the status."""
        change = Change(read(self.clock), self._status, status)
        self.notifications.on_change(change)
        self._status = status

    async def tries(self, count: int, target: int = 0) -> None:
        """Wait until an address was given so many messages, and the result has arrived."""
        await eventually(lambda: self.targets[target].has_answered(count))
        await self.clock.advance(0)
        assert self.targets[target].tries == count
