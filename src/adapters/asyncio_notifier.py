"""Wakes tasks that wait for an update of the monitor."""

import asyncio

from dstack_backend.domain.check import Check
from dstack_backend.domain.status import Change

__all__ = ["Notifier"]


class Notifier:
    """Implements `UpdateNotifier` as an `Observer`. It has no queue: slow tasks skip updates.

    Attributes:
        version: The number of the last update.
    """

    def __init__(self) -> None:
        """Start at version 0."""
        self.version = 0
        self._is_closed = False
        self._update = asyncio.Event()

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Count a finished check as an update."""
        self.publish()

    def on_change(self, change: Change) -> None:  # noqa: ARG002 - the port's
        """Count a change as an update."""
        self.publish()

    def publish(self) -> None:
        """Count an update and wake the tasks that wait for it."""
        self.version += 1
        self._update.set()
        self._update = asyncio.Event()

    def close(self) -> None:
        """End all waiting."""
        self._is_closed = True
        self._update.set()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an update after `version`; `None` means that there will be no more."""
        while self.version <= version and not self._is_closed:
            await self._update.wait()
        return None if self._is_closed else self.version
