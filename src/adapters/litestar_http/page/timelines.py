"""The timelines and their shares as the template shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.page.i18n import Translation
from dstack_backend.domain.formatting import format_duration
from dstack_backend.domain.history import WINDOWS, Uptime, recorded_windows

__all__ = ["BARS", "timelines_context"]

BARS = {"24h": 48, "7d": 84, "30d": 60, "90d": 90}
"""Number of bars of each timeline, by its window."""

TICKS = {
    "24h": ("h", (24, 18, 12, 6)),
    "7d": ("d", (7, 6, 5, 4, 3, 2, 1)),
    "30d": ("d", (30, 20, 10)),
    "90d": ("d", (90, 60, 30)),
}
"""What the axis of each timeline names, before the present: a unit, and equal steps."""

PARTS = 20
"""Each bar is divided into so many parts."""

MIN_PARTS = {"up": 1, "down": 4, "unknown": 2}
"""Parts of a state that occurs at all: an outage of seconds is visible in a bar of a day."""


def timelines_context(
    uptime: Mapping[str, Uptime],
    timelines: Mapping[str, Sequence[Uptime]],
    start: datetime | None,
    now: datetime,
    translation: Translation,
) -> dict[str, dict[str, Any]]:
    """Return what is shown of each window.

    Time before the record is not unknown time: nothing was watching.

    Args:
        uptime: By window.
        timelines: The slots of each timeline, by its window.
        start: From when on the status is recorded.
        now: The present time.
        translation: Texts.
    """
    shown: dict[str, dict[str, Any]] = {}
    if start is None:
        return shown
    for name in recorded_windows(start, now):
        slots, begin = timelines[name], now - WINDOWS[name]
        step, early = WINDOWS[name] / len(slots), max(timedelta(), start - begin)
        bars = [
            _bar(slot, begin + number * step, step, start, translation)
            for number, slot in enumerate(slots)
        ]
        unit, ticks = TICKS[name]
        shown[name] = {
            "uptime": _recorded(uptime[name], early),
            "is_partial": early > timedelta(),
            "seconds": WINDOWS[name].total_seconds(),
            "step": step.total_seconds(),
            "bars": bars,
            "outages": [bar for bar in bars if bar["parts"].get("down")],
            "ticks": [translation.units[unit].format(tick) for tick in ticks],
        }
    return shown


def _recorded(uptime: Uptime, early: timedelta) -> Uptime:
    """Return the uptime without the time before the record."""
    unknown = max(0.0, uptime.unknown_seconds - early.total_seconds())
    return replace(uptime, unknown_seconds=unknown)


def _bar(
    slot: Uptime, begin: datetime, step: timedelta, start: datetime, translation: Translation
) -> dict[str, Any]:
    """Return the number of parts of each state, from the top, and their lengths as text."""
    slot = _recorded(slot, min(step, max(timedelta(), start - begin)))
    lengths = {"down": slot.down_seconds, "unknown": slot.unknown_seconds, "up": slot.up_seconds}
    seconds = {state: each for state, each in lengths.items() if each}
    if not seconds:
        return {"begin": begin, "parts": {}, "text": translation.strings["before_start"]}
    total = sum(seconds.values())
    parts = {
        state: max(MIN_PARTS[state], round(PARTS * each / total)) for state, each in seconds.items()
    }
    parts[max(seconds, key=seconds.__getitem__)] += PARTS - sum(parts.values())
    texts = (
        f"{translation.strings[state]} {format_duration(each, translation.units)}"
        for state, each in seconds.items()
    )
    return {"begin": begin, "parts": parts, "text": translation.strings["comma"].join(texts)}
