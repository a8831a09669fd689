"""Timelines as bars, as on a status page."""

from collections.abc import Mapping

from msgspec import Struct

from dstack_backend.domain.formatting import format_percent
from dstack_backend.domain.history import Uptime

__all__ = ["PARTS", "Bar", "bar"]

PARTS = 20
"""Each bar is divided into so many parts."""

MIN_PARTS = {"up": 1, "down": 3, "unknown": 1}
"""Parts of a state that occurs at all: an outage of seconds is visible in a bar of a day."""


class Bar(Struct, frozen=True):
    """One slot of a timeline.

    Attributes:
        up: Parts in which the node was available.
        down: Parts in which it was unavailable.
        unknown: Parts of which nothing is known.
        text: The same in words.
    """

    up: int
    down: int
    unknown: int
    text: str


def bar(slot: Uptime, strings: Mapping[str, str]) -> Bar:
    """Return the bar for a slot."""
    seconds = {
        "up": slot.up_seconds,
        "down": slot.down_seconds,
        "unknown": slot.unknown_seconds,
    }
    total = sum(seconds.values())
    if not total:
        return Bar(0, 0, PARTS, strings["unknown"])
    parts = {
        state: max(MIN_PARTS[state], round(PARTS * each / total)) if each else 0
        for state, each in seconds.items()
    }
    parts[max(parts, key=seconds.__getitem__)] += PARTS - sum(parts.values())
    text = ", ".join(
        f"{strings[state]} {format_percent(100 * each / total)}"
        for state, each in seconds.items()
        if each
    )
    return Bar(**parts, text=text)
