"""A timeline as bars, as people know it from status pages."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dstack_backend.adapters.litestar_http.page.formatting import percent
from dstack_backend.domain.history import Uptime

__all__ = ["PARTS", "Bar", "bars"]

PARTS = 20
"""Into so many parts a bar is divided."""

LEAST = {"up": 1, "down": 3, "unknown": 1}
"""So many parts has what is there at all: an outage of seconds is seen in a day."""


class Bar(Struct, frozen=True):
    """One slot of a timeline.

    Attributes:
        up: Parts of it that are up.
        down: Parts of it that are down.
        unknown: Parts of it that are unknown.
        text: The same in words.
    """

    up: int
    down: int
    unknown: int
    text: str


def bars(slots: Sequence[Uptime], words: Mapping[str, str]) -> list[Bar]:
    """Turn slots into bars."""
    return [_bar(slot, words) for slot in slots]


def _bar(slot: Uptime, words: Mapping[str, str]) -> Bar:
    seconds = {
        "up": slot.up_seconds,
        "down": slot.down_seconds,
        "unknown": slot.unknown_seconds,
    }
    whole = sum(seconds.values())
    if not whole:
        return Bar(0, 0, PARTS, words["unknown"])
    parts = {
        name: max(LEAST[name], round(PARTS * each / whole)) if each else 0
        for name, each in seconds.items()
    }
    largest = max(parts, key=lambda name: seconds[name])
    parts[largest] += PARTS - sum(parts.values())
    text = ", ".join(
        f"{words[name]} {percent(100 * each / whole)}" for name, each in seconds.items() if each
    )
    return Bar(**parts, text=text)
