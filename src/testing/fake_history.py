"""Fakes of the ports `Past` and `News`: a past that a test wrote, and news that it makes."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.domain.change import Change
from dstack_backend.domain.check import Check
from dstack_backend.domain.history.entry import (
    HistoryEntry,
    HistoryError,
    Uptime,
    spans,
    timeline,
)

__all__ = ["FakeHistory", "FakeNotifier"]


class FakeHistory:
    """A past that somebody wrote.

    Attributes:
        now: The moment at which it is asked.
        failing: Whether it cannot be read now.
        calls: How often it was asked.
    """

    def __init__(self, entries: Sequence[HistoryEntry], now: datetime) -> None:
        """Take the entries, in the order of writing; they get their numbers here."""
        self.now = now
        self.failing = False
        self.calls = 0
        self._history = MemoryHistory()
        self._history.append(entries, now)

    def add(self, entry: HistoryEntry) -> None:
        """Write one more."""
        self._history.append([entry], self.now)

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
        self._ask()
        return self._history.latest(limit, since=since, until=until, before=before)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        self._ask()
        since = self.now - timedelta(seconds=seconds)
        entries = self._history.between(since, self.now)
        parts = spans(entries, since, self.now, self.now)
        return timeline(parts, since, self.now, slots)

    def _ask(self) -> None:
        self.calls += 1
        if self.failing:
            raise HistoryError("disk I/O error")


class FakeNotifier:
    """News that are made when a test says so, or by a monitor that it observes.

    Attributes:
        edition: The number of the last edition.
        listeners: How many calls wait for the next.
    """

    def __init__(self) -> None:
        """Begin with edition 0."""
        self.version = 0
        self.listeners = 0
        self._closed = False
        self._next = asyncio.Event()

    def publish(self) -> None:
        """Make an edition."""
        self.version += 1
        self._wake()

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Make an edition of a finished check, as an observer."""
        self.publish()

    def on_change(self, change: Change) -> None:  # noqa: ARG002 - the port's
        """Make an edition of a change, as an observer."""
        self.publish()

    def close(self) -> None:
        """Let all listeners go; there will be no news any more."""
        self._closed = True
        self._wake()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an edition after the one that was seen; `None`: there will be none any more."""
        self.listeners += 1
        try:
            while self.version <= version and not self._closed:
                await self._next.wait()
        finally:
            self.listeners -= 1
        return None if self._closed else self.version

    def _wake(self) -> None:
        self._next.set()
        self._next = asyncio.Event()
