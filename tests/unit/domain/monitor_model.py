"""The monitor as plainly as it can be said: a list of what happened, and rules over all of it.

Nothing is carried from one check to the next. Each question looks at the whole list again, so that
what the domain remembers is held against what it should have remembered.
"""

from collections.abc import Sequence

from msgspec import Struct

from dstack_backend.domain import Check, CheckPolicy, CheckResult, GpuInventory, Timestamp

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
        """Say whether this check brought an inventory."""
        return self.checks[number].failure is None

    def in_a_row(self, number: int) -> int:
        """Give how many checks up to this one were of its sort, one after the other."""
        others = [i for i in range(number) if self.is_good(i) != self.is_good(number)]
        return number - max(others, default=-1)

    def gap_before(self, number: int) -> float:
        """Give the seconds from the end of the check before to the end of this one."""
        return self.checks[number].finished.monotonic - self.checks[number - 1].finished.monotonic

    def decides(self, number: int) -> bool:
        """Rules 2 and 3: the first, one that completes a row, and a failure after a stale time."""
        good = self.is_good(number)
        needed = self.policy.recovery_threshold if good else self.policy.failure_threshold
        lapsed = number > 0 and not good and self.gap_before(number) > self.life
        return number == 0 or self.in_a_row(number) >= needed or lapsed

    def is_up_after(self, number: int) -> bool:
        """Say what the last check that decided, up to this one, decided."""
        return self.is_good(max(i for i in range(number + 1) if self.decides(i)))

    @property
    def life(self) -> float:
        """Rule 3: seconds for which a check counts."""
        return 3 * self.policy.interval + self.policy.timeout

    def stale_at(self) -> float | None:
        """Give the last second up to which the last check counts."""
        return self.checks[-1].finished.monotonic + self.life if self.checks else None

    def effective_result(self, now: float) -> CheckResult | str:
        """Give what holds: the newest result of the sort that was decided on, or its lack."""
        if not self.checks:
            return "starting"
        if now > self.checks[-1].finished.monotonic + self.life:
            return "stale"
        up = self.is_up_after(len(self.checks) - 1)
        return [self.checks[i].result for i in range(len(self.checks)) if self.is_good(i) == up][-1]

    def since(self, now: float) -> Timestamp:
        """Give the last of all moments at which available became unavailable or the reverse."""
        turns = [(self.start, False)]
        for number, check in enumerate(self.checks):
            last = number == len(self.checks) - 1
            following = now if last else self.checks[number + 1].finished.monotonic
            turns.append((check.finished, self.is_up_after(number)))
            if following > check.finished.monotonic + self.life:
                turns.append((check.finished + self.life, False))
        return [at for i, (at, up) in enumerate(turns) if i == 0 or turns[i - 1][1] != up][-1]

    def failures(self) -> int:
        """Give how many of the last checks failed, one after the other."""
        number = len(self.checks) - 1
        return self.in_a_row(number) if self.checks and not self.is_good(number) else 0

    def next_check(self) -> float:
        """Rule 4: when the next check is due."""
        if not self.checks:
            return self.start.monotonic
        last = self.checks[-1]
        end = last.finished.monotonic
        regular = max(end, last.started + self.policy.interval)
        failures = self.failures()
        return min(regular, end + 2 ** (failures - 1)) if failures else regular

    def hinted_check(self) -> float:
        """Rule 5: from when on a hint is followed."""
        return self.checks[-1].finished.monotonic + 1 if self.checks else self.start.monotonic

    def last_good(self) -> tuple[Timestamp, GpuInventory] | None:
        """Give the last inventory that a check brought, and when."""
        good = [
            (check.finished, check.result)
            for check in self.checks
            if isinstance(check.result, GpuInventory)
        ]
        return good[-1] if good else None
