"""Wakes tasks that wait for an update of the monitor."""

import asyncio

from dstack_backend.domain.check import Check
from dstack_backend.domain.status import Change

__all__ = ["Notifier"]


class Notifier:
    """Implements `UpdateNotifier` as an `Observer`. It has no queue: slow tasks skip updates."""

    def __init__(self) -> None:
        """Start at version 0."""
        self._version = 0
        self._is_closed = False
        self._update = asyncio.Event()

    @property
    def version(self) -> int:
        """The number of the last update."""
        return self._version

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Count a finished check as an update."""
        self._publish()

    def on_change(self, change: Change) -> None:  # noqa: ARG002 - the port's
        """Count a change as an update."""
        self._publish()

    def close(self) -> None:
        """End all waiting."""
        self._is_closed = True
        self._update.set()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an update after `version`; `None` means that there will be no more."""
        while self._version <= version and not self._is_closed:
            await self._update.wait()
        return None if self._is_closed else self._version

    def _publish(self) -> None:
        self._version += 1
        if not self._is_closed:
            self._update.set()
            self._update = asyncio.Event()
