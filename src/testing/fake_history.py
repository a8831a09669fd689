"""Fakes of the ports `HistoryReader` and `UpdateNotifier`."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from dstack_backend.domain.check import Check
from dstack_backend.domain.history import (
    HistoryEntry,
    Uptime,
    latest,
    spans,
    timeline,
    uptime_windows,
)
from dstack_backend.domain.status import Change

__all__ = ["FakeHistory", "FakeNotifier"]


class FakeHistory:
    """A `HistoryReader` over entries that a test provides.

    Attributes:
        now: The present time.
        calls: How many calls there were.
    """

    def __init__(self, entries: Sequence[HistoryEntry], now: datetime) -> None:
        """Store the entries, in the order of writing; they are numbered from 1."""
        self.now = now
        self.calls = 0
        self._entries: list[HistoryEntry] = []
        for entry in entries:
            self.add(entry)

    def add(self, entry: HistoryEntry) -> None:
        """Add one more entry."""
        self._entries.append(replace(entry, number=len(self._entries) + 1))

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Return entries, the last written first."""
        self.calls += 1
        return latest(self._entries, limit, since=since, until=until, before=before)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Divide the last so many seconds into slots, the oldest first."""
        self.calls += 1
        since = self.now - timedelta(seconds=seconds)
        return timeline(spans(self._entries, since, self.now, self.now), since, self.now, slots)

    async def uptime(self) -> dict[str, Uptime]:
        """Return the uptime of each window."""
        self.calls += 1
        return uptime_windows(self._entries, self.now, self.now)


class FakeNotifier:
    """An `UpdateNotifier` that a test controls, or a monitor that it observes.

    Attributes:
        version: The number of the last update.
        listeners: How many calls wait for the next update.
    """

    def __init__(self) -> None:
        """Start with version 0."""
        self.version = 0
        self.listeners = 0
        self._closed = False
        self._next = asyncio.Event()

    def publish(self) -> None:
        """Count one more update."""
        self.version += 1
        self._wake()

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Count a finished check as an update."""
        self.publish()

    def on_change(self, change: Change) -> None:  # noqa: ARG002 - the port's
        """Count a change as an update."""
        self.publish()

    def close(self) -> None:
        """End all calls that wait: there will be no more updates."""
        self._closed = True
        self._wake()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an update after `version`; `None` means that there will be no more."""
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
