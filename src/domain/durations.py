"""How long checks took, in half hours, for the last 24 hours.

What is kept has a bounded size: durations are counted in classes, each 5 % longer than the one
before, so that a median is right within that. Failed checks are counted apart: a refused connection
takes no time, and one that timed out takes the timeout.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from dstack_backend.domain.check import Check
from dstack_backend.domain.gpu.use import period_of

__all__ = ["PERIODS", "DurationPeriod", "last_day", "record_duration", "total"]

PERIODS = 48
"""Half hours of a day."""

GROWTH = 1.05
SHORTEST = 0.0001
"""Seconds: a shorter check counts as this."""


class DurationPeriod(Struct, frozen=True, kw_only=True):
    """The checks that finished in one half hour.

    Attributes:
        number: The period: its start in seconds since 1970, divided by 1800.
        longest: Seconds that the longest good check took; 0 without one.
        failures: How many checks failed.
        classes: How many good checks there were, by the class of their duration.
    """

    number: int
    longest: float = 0.0
    failures: int = 0
    classes: Mapping[int, int] = {}

    @property
    def median(self) -> float:
        """Seconds that a good check took; 0 without one."""
        passed, half = 0, sum(self.classes.values()) / 2
        for each, count in sorted(self.classes.items()):
            passed += count
            if passed >= half:
                return min(self.longest, math.pow(GROWTH, each + 0.5))
        return 0.0


def record_duration(
    periods: Mapping[int, DurationPeriod], check: Check
) -> Mapping[int, DurationPeriod]:
    """Return the periods, by number, after a check. Those of another day are left out."""
    number = period_of(check.finished.utc)
    kept = {key: each for key, each in periods.items() if number - PERIODS < key <= number}
    if check.failure:
        addition = DurationPeriod(number=number, failures=1)
    else:
        duration = max(SHORTEST, check.duration)
        addition = DurationPeriod(
            number=number, longest=duration, classes={math.floor(math.log(duration, GROWTH)): 1}
        )
    return {**kept, number: total((kept.get(number, DurationPeriod(number=number)), addition))}


def total(periods: Iterable[DurationPeriod]) -> DurationPeriod:
    """Return several periods as one, with the number of the last."""
    each = list(periods)
    classes = sum((Counter(one.classes) for one in each), Counter[int]())
    return DurationPeriod(
        number=each[-1].number,
        longest=max(one.longest for one in each),
        failures=sum(one.failures for one in each),
        classes=dict(classes),
    )


def last_day(periods: Mapping[int, DurationPeriod], now: datetime) -> list[DurationPeriod]:
    """Return the half hours up to the present one, the oldest first, also those without checks."""
    last = period_of(now)
    numbers = range(last - PERIODS + 1, last + 1)
    return [periods.get(number, DurationPeriod(number=number)) for number in numbers]
