"""Wakes tasks that wait for an update of the monitor."""

import asyncio
from itertools import islice

from dstack_backend.domain.check import Check
from dstack_backend.domain.gpu import GpuState
from dstack_backend.domain.status import Change

__all__ = ["AT_ONCE", "Notifier"]

AT_ONCE = 20
"""Tasks that wake before the event loop handles other events. For streams it takes about 1 ms."""

Waiting = dict[asyncio.Future[None], None]
"""Tasks that wait, in their order."""


class Notifier:
    """Implements `UpdateNotifier` as an `Observer`. It has no queue: slow tasks skip updates.

    Tasks are woken a few at a time, so that thousands of them do not delay other requests.

    Attributes:
        version: The number of the last update.
    """

    def __init__(self) -> None:
        """Start at version 0."""
        self.version = 0
        self._is_closed = False
        self._waiting: Waiting = {}
        self._waking: Waiting = {}

    def on_check(self, check: Check) -> None:  # noqa: ARG002 - the port's
        """Count a finished check as an update."""
        self.publish()

    def on_change(self, change: Change) -> None:  # noqa: ARG002 - the port's
        """Count a change as an update."""
        self.publish()

    def on_gpus(self, gpus: GpuState) -> None:  # noqa: ARG002 - the port's
        """Count news of the GPUs as an update."""
        self.publish()

    def publish(self) -> None:
        """Count an update and wake the tasks that wait for it."""
        self.version += 1
        self._wake_all()

    def close(self) -> None:
        """End all waiting."""
        self._is_closed = True
        self._wake_all()

    async def wait_newer(self, version: int) -> int | None:
        """Wait for an update after `version`; `None` means that there will be no more."""
        while self.version <= version and not self._is_closed:
            update = asyncio.get_running_loop().create_future()
            self._waiting[update] = None
            try:
                await update
            finally:
                self._waiting.pop(update, None)
                self._waking.pop(update, None)
        return None if self._is_closed else self.version

    def _wake_all(self) -> None:
        is_idle = not self._waking
        self._waking |= self._waiting
        self._waiting = {}
        if is_idle:
            self._wake_some()

    def _wake_some(self) -> None:
        for update in list(islice(self._waking, AT_ONCE)):
            del self._waking[update]
            if not update.done():
                update.set_result(None)
        if self._waking:
            next(iter(self._waking)).get_loop().call_soon(self._wake_some)
