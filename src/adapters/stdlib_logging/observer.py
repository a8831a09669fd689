"""Logs each change of the status, once."""

import logging

from dstack_backend.domain.check import Check
from dstack_backend.domain.status import Change, Status

__all__ = ["LogObserver"]

_log = logging.getLogger(__name__)


class LogObserver:
    """Observes the monitor, and logs."""

    def on_check(self, check: Check) -> None:
        """Log the check at level debug: a failure may repeat every few seconds."""
        result = check.failure.message if check.failure else "ok"
        _log.debug("check finished in %.3f s: %s", check.duration, result)

    def on_change(self, change: Change) -> None:
        """Log the new status, as a warning where it is unavailable or nothing is listed."""
        after = change.after
        fields = {"status": after.status, "reason": after.reason}
        if after.status is Status.UNAVAILABLE:
            _log.warning("unavailable (%s): %s", after.reason, after.message, extra=fields)
        else:
            is_empty = after.inventory is None or after.inventory.is_empty
            level = logging.WARNING if is_empty else logging.INFO
            _log.log(level, "available: %s", after.message, extra=fields)
