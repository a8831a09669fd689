"""Writes each change of status to the log, once."""

import logging

from dstack_backend.domain.check import Check
from dstack_backend.domain.status import Change, Status

__all__ = ["LogObserver"]

_log = logging.getLogger(__name__)


class LogObserver:
    """An observer of the monitor that tells people."""

    def on_check(self, check: Check) -> None:
        """Say nothing but for debugging: a failure that repeats is no news."""
        outcome = check.failure.message if check.failure else "an inventory"
        _log.debug("a check took %.3f s and brought: %s", check.duration, outcome)

    def on_change(self, change: Change) -> None:
        """Say what holds from now on, and why."""
        after = change.after
        fields = {"status": after.status, "reason": after.reason}
        if after.status is Status.UNAVAILABLE:
            _log.warning("unavailable (%s): %s", after.reason, after.message, extra=fields)
        elif after.inventory and not after.inventory.is_empty:
            _log.info("available: %s", after.message, extra=fields)
        else:
            _log.warning("available: %s", after.message, extra=fields)
