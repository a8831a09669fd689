"""The time for which GPUs were in use, in half hours, for 30 days.

What is kept has the same size whether a GPU changes its use once a month or every minute. A window
is the half hour that runs now and those before it. Time that no check has covered is unknown and
counts neither as in use nor as free. Use is recorded by slot, for at most `MAX_SLOTS` of them.
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import compress

from msgspec import Struct

from dstack_backend.domain.gpu.state import GpuState
from dstack_backend.domain.timestamp import MIN_VALID_TIME

__all__ = ["MAX_SLOTS", "PERIOD", "USE_WINDOWS", "GpuUse", "UsePeriod", "UseRecord", "UseShare"]
__all__ += ["period_of"]

PERIOD = timedelta(minutes=30)

USE_WINDOWS = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""The windows of time for which use is reported, by name, the shortest first."""

MAX_SLOTS = 64
"""Slots whose use is recorded: those that were listed first."""

MAX_PERIODS = USE_WINDOWS["30d"] // PERIOD


class UseShare(Struct, frozen=True):
    """How a time is divided. The three values add up to its length, times the number of GPUs.

    Attributes:
        in_use_seconds: Seconds in which GPUs were in use.
        free_seconds: Seconds in which they were free.
        unknown_seconds: Seconds of which nothing is known.
    """

    in_use_seconds: float = 0.0
    free_seconds: float = 0.0
    unknown_seconds: float = 0.0

    @property
    def known_seconds(self) -> float:
        """Seconds in which GPUs were in use or free."""
        return self.in_use_seconds + self.free_seconds

    @property
    def in_use_percent(self) -> float | None:
        """Share of the known time in which GPUs were in use; `None` where nothing is known."""
        known = self.known_seconds
        return 100 * (self.in_use_seconds / known) if known else None

    @property
    def unknown_percent(self) -> float:
        """Share of the whole time of which nothing is known."""
        total = self.known_seconds + self.unknown_seconds
        return 100 * (self.unknown_seconds / total) if total else 100.0


class UsePeriod(Struct, frozen=True):
    """The use in one period, as it is stored.

    Attributes:
        number: The period: its start in seconds since 1970, divided by 1800.
        slots: Seconds in use and seconds free, by slot.
    """

    number: int
    slots: dict[str, tuple[float, float]]


class GpuUse(Struct, frozen=True):
    """The use of a node's GPUs up to one moment.

    Attributes:
        node: The share of all slots together, by window.
        slots: The share by slot and window.
        strips: For each slot the shares of the last 24 h, one for each period, the oldest first.
    """

    node: Mapping[str, UseShare] = {}
    slots: Mapping[str, Mapping[str, UseShare]] = {}
    strips: Mapping[str, Sequence[UseShare]] = {}


class UseRecord:
    """Adds up the use of each slot in each period. Periods are bounded, and so are slots.

    Attributes:
        changed: Numbers of the periods that differ from what is stored. Its user removes them.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.changed: set[int] = set()
        self._numbers = array("q")
        """The period of each row."""
        self._slots: dict[str, array[float]] = {}
        """Seconds in use and seconds free in each row."""

    def add(self, state: GpuState) -> None:
        """Add the time up to the last check, with the use that held in it."""
        if not state.counted or state.seen_at < MIN_VALID_TIME:
            return
        slots: Iterable[str] = tuple(self._slots)
        if len(self._slots) < MAX_SLOTS:
            slots = [slot for slot, number in state.used if number == 0]
        used = [each.gpu for slot in slots if (each := state.used.get((slot, 0)))]
        end, length = state.seen_at.timestamp(), PERIOD.total_seconds()
        start = end - state.counted
        for number in range(int(start // length), int(end // length) + 1):
            seconds = min(end, (number + 1) * length) - max(start, number * length)
            self.changed.add(number)
            row = self._row(number)
            for gpu in used:
                free = seconds if gpu.is_free else 0.0
                self._add(row, gpu.slot, seconds - free, free)

    def restore(self, periods: Iterable[UsePeriod]) -> None:
        """Add what an earlier process has recorded."""
        for period in periods:
            row = self._row(period.number)
            for slot, (in_use, free) in period.slots.items():
                self._add(row, slot, in_use, free)

    def periods(self, numbers: Iterable[int]) -> list[UsePeriod]:
        """Return periods as they are stored. One that is not kept has no slots."""
        rows = self._rows()
        return [UsePeriod(each, self._stored(rows.get(each))) for each in numbers]

    def all_numbers(self) -> list[int]:
        """Return the numbers of all periods."""
        return list(self._numbers)

    def shares(self, now: datetime) -> GpuUse:
        """Return the shares of all windows that end now, and the strips of 24 hours."""
        windows = {name: self._window(now, length) for name, length in USE_WINDOWS.items()}
        slots: dict[str, dict[str, UseShare]] = {}
        for slot, values in self._slots.items():
            in_use, free = values[::2], values[1::2]
            slots[slot] = {
                name: _share(sum(compress(in_use, rows)), sum(compress(free, rows)), passed)
                for name, (rows, passed) in windows.items()
            }
        places = self._rows()
        return GpuUse(
            node={name: _sum([shares[name] for shares in slots.values()]) for name in windows},
            slots=slots,
            strips={slot: _strip(now, values, places) for slot, values in self._slots.items()},
        )

    def _rows(self) -> dict[int, int]:
        return {number: row for row, number in enumerate(self._numbers)}

    def _stored(self, row: int | None) -> dict[str, tuple[float, float]]:
        if row is None:
            return {}
        pairs = {slot: (each[2 * row], each[2 * row + 1]) for slot, each in self._slots.items()}
        return {slot: pair for slot, pair in pairs.items() if any(pair)}

    def _window(self, now: datetime, length: timedelta) -> tuple[list[bool], float]:
        """Return for each row whether it belongs to a window, and how long that is so far."""
        last = period_of(now)
        first = last - length // PERIOD + 1
        rows = [first <= number <= last for number in self._numbers]
        return rows, now.timestamp() - first * PERIOD.total_seconds()

    def _add(self, row: int, slot: str, in_use: float, free: float) -> None:
        values = self._slots.get(slot)
        if values is None:
            if len(self._slots) >= MAX_SLOTS:
                return
            values = self._slots[slot] = array("f", bytes(8 * MAX_PERIODS))
        values[2 * row] += in_use
        values[2 * row + 1] += free

    def _row(self, number: int) -> int:
        with suppress(ValueError):
            return self._numbers.index(number)
        if len(self._numbers) < MAX_PERIODS:
            self._numbers.append(number)
            return len(self._numbers) - 1
        # A clock that is wrong for a while must not delete what it does not reach.
        row = max(range(MAX_PERIODS), key=lambda each: abs(self._numbers[each] - number))
        self.changed.add(self._numbers[row])
        self._numbers[row] = number
        for slot, values in tuple(self._slots.items()):
            values[2 * row] = values[2 * row + 1] = 0.0
            if not any(values):  # there is room for another slot
                del self._slots[slot]
        return row


def _strip(now: datetime, values: "array[float]", rows: Mapping[int, int]) -> list[UseShare]:
    last, length = period_of(now), PERIOD.total_seconds()
    found: list[UseShare] = []
    for number in range(last - USE_WINDOWS["24h"] // PERIOD + 1, last + 1):
        row = rows.get(number)
        in_use, free = (0.0, 0.0) if row is None else values[2 * row : 2 * row + 2]
        passed = min(length, now.timestamp() - number * length)
        found.append(_share(in_use, free, passed))
    return found


def _share(in_use: float, free: float, length: float) -> UseShare:
    return UseShare(in_use, free, max(0.0, length - in_use - free))


def _sum(shares: Collection[UseShare]) -> UseShare:
    """Return the sum of the GPUs of which anything is known."""
    known = [each for each in shares if each.in_use_percent is not None]
    return UseShare(
        sum(each.in_use_seconds for each in known),
        sum(each.free_seconds for each in known),
        sum(each.unknown_seconds for each in known),
    )


def period_of(moment: datetime) -> int:
    """Return the number of the period that contains a moment."""
    return int(moment.timestamp() // PERIOD.total_seconds())
