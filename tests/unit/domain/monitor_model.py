"""A model of the monitor's rules, as plain as possible: a list of checks, and rules over all of it.

Nothing is carried from one check to the next. Each question looks at the whole list again, so that
a mistake in what the domain remembers between checks shows as a difference.
"""

from collections.abc import Sequence

from msgspec import Struct

from dstack_backend.domain import Check, CheckPolicy, CheckResult, GpuInventory, Reason, Timestamp
from dstack_backend.domain.gpu.state import bounded
from tests.unit.domain.gpu.gpu_model import Event, Failed, Good, GpuModel

__all__ = ["Model"]


class Model(Struct, frozen=True):
    """What happened.

    Attributes:
        policy: Interval, timeout and thresholds.
        start: When the monitor started.
        checks: The checks that finished, in order.
    """

    policy: CheckPolicy
    start: Timestamp
    checks: Sequence[Check]

    def is_good(self, number: int) -> bool:
        """Return whether this check returned an inventory."""
        return self.checks[number].failure is None

    def streak(self, number: int) -> int:
        """Return how many checks in a row, up to this one, were of its kind; rule 2."""
        others = [i for i in range(number) if self.is_good(i) != self.is_good(number)]
        first = max(others, default=-1) + 1
        return 1 + sum(not self.repeats(i) for i in range(first + 1, number + 1))

    def repeats(self, number: int) -> bool:
        """Return whether a hint caused this check within half a second of the one before."""
        check, before = self.checks[number], self.checks[number - 1]
        return check.is_hinted and check.started - before.started < 0.5

    def gap_before(self, number: int) -> float:
        """Return the seconds from the end of the check before to the end of this one."""
        return self.checks[number].finished.monotonic - self.checks[number - 1].finished.monotonic

    def decides(self, number: int) -> bool:
        """Rules 2 and 3: the first, one that completes a row, and a failure after a stale time."""
        good = self.is_good(number)
        needed = self.policy.recovery_threshold if good else self.policy.failure_threshold
        lapsed = number > 0 and not good and self.gap_before(number) > self.stale_after
        return number == 0 or self.streak(number) >= needed or lapsed

    def is_available_after(self, number: int) -> bool:
        """Return what the last check that decided, up to this one, decided."""
        return self.is_good(max(i for i in range(number + 1) if self.decides(i)))

    @property
    def stale_after(self) -> float:
        """Rule 3: seconds for which a check counts."""
        return 3 * self.policy.interval + self.policy.timeout

    def stale_at(self) -> float | None:
        """Return the last second at which the last check counts."""
        return self.checks[-1].finished.monotonic + self.stale_after if self.checks else None

    def effective_result(self, now: float) -> CheckResult | str:
        """Return the newest result of the kind that was decided on, or the reason for none."""
        if not self.checks:
            return "starting"
        if now > self.checks[-1].finished.monotonic + self.stale_after:
            return "stale"
        available = self.is_available_after(len(self.checks) - 1)
        numbers = range(len(self.checks))
        return [self.checks[i].result for i in numbers if self.is_good(i) == available][-1]

    def gpus(self, number: int | None = None) -> GpuModel:
        """Rule 6: the GPUs after this check, or after the last."""
        found: list[Event] = []
        for check in self.checks if number is None else self.checks[: number + 1]:
            gpus = check.result.gpus if isinstance(check.result, GpuInventory) else None
            good = None if gpus is None else Good(check.finished, tuple(map(bounded, gpus)))
            found.append(good or Failed())
        return GpuModel(found)

    def is_up_after(self, number: int) -> bool:
        """Return whether this check left the node available, with as many GPUs as required."""
        enough = len(self.gpus(number).present()) >= self.policy.min_gpus
        return self.is_available_after(number) and enough

    def since(self, now: float) -> Timestamp:
        """Return when the status last changed."""
        changes = [(self.start, False)]
        for number, check in enumerate(self.checks):
            last = number == len(self.checks) - 1
            following = now if last else self.checks[number + 1].finished.monotonic
            changes.append((check.finished, self.is_up_after(number)))
            if following > check.finished.monotonic + self.stale_after:
                changes.append((check.finished + self.stale_after, False))
        return [at for i, (at, up) in enumerate(changes) if i == 0 or changes[i - 1][1] != up][-1]

    def failures(self) -> int:
        """Return how many of the last checks in a row failed."""
        number = len(self.checks) - 1
        return self.streak(number) if self.checks and not self.is_good(number) else 0

    def next_check(self) -> float:
        """Rule 4: when the next check is due."""
        if not self.checks:
            return self.start.monotonic
        last = self.checks[-1]
        end = last.finished.monotonic
        regular = max(end, last.started + self.policy.interval)
        failures = self.failures()
        if self.gpus().needs_confirmation():
            return min(regular, end + 1)
        if last.failure and last.failure.reason is Reason.TIMED_OUT:
            longest, first = 2 * self.policy.interval, max(1, self.policy.timeout)
            return end + min(longest, first * 2.0 ** (failures - 1))
        return min(regular, end + 2 ** (failures - 1)) if failures else regular

    def earliest_hinted_check(self) -> float:
        """Rule 5: from when on a hint causes a check."""
        hinted = [check.started for check in self.checks if check.is_hinted]
        return hinted[-1] + 1 if hinted else float("-inf")

    def last_good(self) -> tuple[Timestamp, GpuInventory] | None:
        """Return the last inventory that a check returned, and when."""
        good = [
            (check.finished, check.result)
            for check in self.checks
            if isinstance(check.result, GpuInventory)
        ]
        return good[-1] if good else None
