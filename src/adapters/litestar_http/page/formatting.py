"""Numbers, times and lengths of time as the page writes them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["duration", "instant", "percent", "shown_time"]

MINUTE, HOUR, DAY = 60, 3600, 86_400
SMALLEST_SHARE = 0.01


def duration(seconds: float, words: Mapping[str, str]) -> str:
    """Write a length of time with its two largest units: `3 h 12 min`."""
    if 0 < seconds < 1:
        return words["milliseconds"].format(max(1, round(seconds * 1000)))
    left = max(0, int(seconds))
    parts: list[str] = []
    for name, unit in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE), ("seconds", 1)):
        count, left = divmod(left, unit)
        if count or (name == "seconds" and not parts):
            parts.append(words[name].format(count))
        elif parts:
            break  # `2 d 3 s` would pretend to a precision that nobody needs
    return " ".join(parts[:2])


def percent(value: float | None) -> str | None:
    """Write a share; what is not all never reads as all, and what is not nothing not as nothing."""
    if value is None:
        return None
    if 0 < value < SMALLEST_SHARE:
        return f"< {SMALLEST_SHARE} %"
    return f"{math.floor(value * 100) / 100:g} %"


def instant(moment: datetime) -> str:
    """Write a moment for machines."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def shown_time(moment: datetime) -> str:
    """Write a moment for people; a script puts their own zone in its place."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
