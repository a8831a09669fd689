"""One finished check: what it brought, and when."""

from msgspec import Struct

from dstack_backend.domain.failure import CheckFailure
from dstack_backend.domain.gpu.inventory import GpuInventory
from dstack_backend.domain.timestamp import Timestamp

__all__ = ["Check", "CheckResult"]

CheckResult = GpuInventory | CheckFailure
"""What a check brings: the inventory, or why there is none."""


class Check(Struct, frozen=True, kw_only=True):
    """One question to the source of GPUs, after it was answered or given up.

    Attributes:
        result: What it brought.
        started: When the question was asked, in seconds on the monotonic clock.
        finished: When the result was there.
    """

    result: CheckResult
    started: float
    finished: Timestamp

    @property
    def duration(self) -> float:
        """How long it took, in seconds."""
        return self.finished.monotonic - self.started

    @property
    def failure(self) -> CheckFailure | None:
        """Why it failed; `None` where it brought an inventory."""
        return self.result if isinstance(self.result, CheckFailure) else None
