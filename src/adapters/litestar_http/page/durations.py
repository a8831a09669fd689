"""The chart of how long checks took: paths of an SVG image, 10 wide for each half hour."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dstack_backend.domain.durations import DurationPeriod, last_day, total
from dstack_backend.domain.gpu.use import PERIOD

__all__ = ["duration_chart"]

HEIGHT = 100
"""The height of the chart; the marks of failed checks are below it."""

STEPS = (1, 2, 4, 6, 8, 10)
"""Tops of the scale: half of each has one digit too, from 2 ms on."""


def duration_chart(recorded: Mapping[int, DurationPeriod], now: datetime) -> dict[str, Any] | None:
    """Return the chart's variables; `None` while no good check is recorded."""
    periods = last_day(recorded, now)
    day = total(periods)
    if not day.longest:
        return None
    top = _top(day.longest)
    median, longest, failed = "", "", ""
    for number, each in enumerate(periods):
        left = 10 * number
        if each.longest:
            heights = (max(2, round(HEIGHT * one / top)) for one in (each.median, each.longest))
            low, high = heights
            median += f"M{left + 1} {HEIGHT - low}h8v{low}h-8z"
            longest += f"M{left + 4} {HEIGHT - high}h2v{high - low}h-2z" if high > low else ""
        if each.failures:
            failed += f"M{left} 112h10l-5 -9z"
    start = PERIOD.total_seconds()
    rows = [
        {"start": datetime.fromtimestamp(each.number * start, UTC), "period": each}
        for each in reversed(periods)
        if each.longest or each.failures
    ]
    paths = {"median": median, "longest": longest, "failed": failed}
    return {**paths, "top": top, "day": day, "rows": rows}


def _top(seconds: float) -> float:
    """Return the lowest top of a scale, in seconds, that is not below a duration."""
    power = 1  # milliseconds
    while True:
        for step in STEPS:
            if max(0.002, seconds) <= step * power / 1000:
                return step * power / 1000
        power *= 10
