"""Times, durations and percentages as text, times parsed from text, and text for terminals."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

__all__ = ["ENGLISH_UNITS", "cut", "escape", "format_duration", "format_percent", "format_time"]
__all__ += ["join_some", "parse_time"]

ENGLISH_UNITS = {"d": "{} d", "h": "{} h", "min": "{} min", "s": "{} s", "ms": "{} ms"}
"""How a number of each unit is written."""

_SECONDS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}


def escape(text: str) -> str:
    r"""Return a text with JSON's escapes, such as `\u202e`, for all that is not printable.

    A terminal may obey such characters. In JSON on one line they are inside strings only, so it
    stays valid and has the same data.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def cut(text: str, limit: int) -> str:
    """Return a text escaped and of limited length for a cell of a table: `-` for an empty one."""
    shown = escape(text[: limit + 1])
    return f"{shown[:limit]}..." if len(shown) > limit else shown or "-"


def join_some(texts: Sequence[str], limit: int) -> str:
    """Join texts with commas; of more than the limit, the number of the rest is the last one."""
    rest = len(texts) - limit
    return ", ".join([*texts[:limit], *([f"{rest} more"] if rest > 0 else [])])


def format_duration(seconds: float, units: Mapping[str, str] = ENGLISH_UNITS) -> str:
    """Return a duration with its two largest adjacent units: `3 h 12 min`.

    Args:
        seconds: The duration; a negative one counts as 0.
        units: How a number of each unit is written; see `ENGLISH_UNITS`.
    """
    if 0 < seconds < 1:
        return units["ms"].format(max(1, int(seconds * 1000)))
    rest = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in _SECONDS.items():
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(units[unit].format(count))
        elif parts:
            break  # `2 d 3 s` would suggest a precision that is not needed
    return " ".join(parts[:2])


def format_percent(value: float, decimals: int = 2) -> str:
    """Return a percentage with at most so many decimals. Never rounds to 0 % or 100 %."""
    factor = 10**decimals
    if 0 < value < 1 / factor:
        return f"< {1 / factor:g} %"
    return f"{math.floor(value * factor) / factor:g} %"


def format_time(moment: datetime) -> str:
    """Return a time in UTC, to the second: `2026-11-24 02:53:25`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def parse_time(text: str) -> datetime:
    """Return a time in ISO 8601, in UTC. Without a zone it is UTC.

    Raises:
        ValueError: It is not a time in ISO 8601, or not one of the years 1 to 9999.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise ValueError("the year is out of range") from None
