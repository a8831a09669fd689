"""Tells whoever listens that there is something new to see."""

import asyncio

from dstack_backend.domain.check import Check
from dstack_backend.domain.status import Change

__all__ = ["Notifier"]


class Notifier:
    """Observes the monitor, and implements the port `News`.

    There is no queue: a listener that is slow misses steps in between, and sees the last one.
    """

    def __init__(self) -> None:
        """Begin with edition 0."""
        self._edition = 0
        self._closed = False
        self._next = asyncio.Event()

    @property
    def version(self) -> int:
        """The number of the last edition."""
        return self._edition

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Make an edition of a finished check."""
        self._publish()

    def on_change(self, change: Change) -> None:  # noqa: ARG002 - the port's
        """Make an edition of a change."""
        self._publish()

    def close(self) -> None:
        """Let all listeners go."""
        self._closed = True
        self._next.set()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an edition after the one that was seen; `None`: there will be none any more."""
        while self._edition <= version and not self._closed:
            await self._next.wait()
        return None if self._closed else self._edition

    def _publish(self) -> None:
        self._edition += 1
        if not self._closed:
            self._next.set()
            self._next = asyncio.Event()
