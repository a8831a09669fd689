"""The time for which GPUs were in use, in half hours, for 30 days.

What is kept has the same size whether a GPU changes its use once a month or every minute. A window
is the half hour that runs now and those before it. Time that no check has covered is unknown and
counts neither as in use nor as free. Use is recorded by slot, for at most `MAX_SLOTS` of them.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

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
_NOTHING = array("f")


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
    def in_use_percent(self) -> float | None:
        """Share of the known time in which GPUs were in use; `None` where nothing is known."""
        known = self.in_use_seconds + self.free_seconds
        return 100 * self.in_use_seconds / known if known else None

    @property
    def unknown_percent(self) -> float:
        """Share of the whole time of which nothing is known."""
        total = self.in_use_seconds + self.free_seconds + self.unknown_seconds
        return 100 * self.unknown_seconds / total if total else 100.0


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
        self._columns: dict[str, int] = {}
        self._periods: dict[int, array[float]] = {}

    def add(self, state: GpuState) -> None:
        """Add the time up to the last check, with the use that held in it."""
        if not state.counted or state.seen_at < MIN_VALID_TIME:
            return
        slots: Iterable[str] = tuple(self._columns)
        if len(self._columns) < MAX_SLOTS:
            slots = [slot for slot, number in state.used if number == 0]
        used = [each.gpu for slot in slots if (each := state.used.get((slot, 0)))]
        end, length = state.seen_at.timestamp(), PERIOD.total_seconds()
        start = end - state.counted
        for number in range(int(start // length), int(end // length) + 1):
            seconds = min(end, (number + 1) * length) - max(start, number * length)
            self.changed.add(number)
            values = self._period(number)
            for gpu in used:
                free = seconds if gpu.is_free else 0.0
                self._add(values, gpu.slot, seconds - free, free)

    def restore(self, periods: Iterable[UsePeriod]) -> None:
        """Add what an earlier process has recorded."""
        for period in periods:
            values = self._period(period.number)
            for slot, (in_use, free) in period.slots.items():
                self._add(values, slot, in_use, free)

    def periods(self, numbers: Iterable[int]) -> list[UsePeriod]:
        """Return periods as they are stored. One that is not kept has no slots."""
        return [UsePeriod(each, self._slots(self._periods.get(each, _NOTHING))) for each in numbers]

    def all_numbers(self) -> list[int]:
        """Return the numbers of all periods."""
        return list(self._periods)

    def shares(self, now: datetime) -> GpuUse:
        """Return the shares of all windows that end now, and the strips of 24 hours."""
        windows = {name: self._window(now, length) for name, length in USE_WINDOWS.items()}
        return GpuUse(
            node={name: _sum(shares) for name, shares in windows.items()},
            slots={
                slot: {name: shares[column] for name, shares in windows.items()}
                for slot, column in self._columns.items()
            },
            strips={slot: self._strip(now, column) for slot, column in self._columns.items()},
        )

    def _window(self, now: datetime, length: timedelta) -> list[UseShare]:
        """Return the share of each column."""
        last = period_of(now)
        first = last - length // PERIOD + 1
        totals = [0.0] * (2 * MAX_SLOTS)
        for number in range(first, last + 1):
            for position, seconds in enumerate(self._periods.get(number, ())):
                totals[position] += seconds
        passed = now.timestamp() - first * PERIOD.total_seconds()
        return [_share(*pair, passed) for pair in zip(totals[::2], totals[1::2], strict=True)]

    def _strip(self, now: datetime, column: int) -> list[UseShare]:
        last, seconds = period_of(now), PERIOD.total_seconds()
        found: list[UseShare] = []
        for number in range(last - USE_WINDOWS["24h"] // PERIOD + 1, last + 1):
            values = self._periods.get(number, _NOTHING)
            in_use, free = values[2 * column : 2 * column + 2] or (0.0, 0.0)
            passed = min(seconds, now.timestamp() - number * seconds)
            found.append(_share(in_use, free, passed))
        return found

    def _add(self, values: "array[float]", slot: str, in_use: float, free: float) -> None:
        column = self._columns.get(slot)
        if column is None:
            if len(self._columns) >= MAX_SLOTS:
                return
            column = min(set(range(MAX_SLOTS)).difference(self._columns.values()))
            self._columns[slot] = column
        missing = 2 * column + 2 - len(values)
        if missing > 0:
            values.extend([0.0] * missing)
        values[2 * column] += in_use
        values[2 * column + 1] += free

    def _period(self, number: int) -> "array[float]":
        if number not in self._periods:
            self._periods[number] = array("f", bytes(8 * len(self._columns)))
            if len(self._periods) > MAX_PERIODS:
                # A clock that is wrong for a while must not delete what it does not reach.
                excess = max(self._periods, key=lambda each: abs(each - number))
                self.changed.add(excess)
                self._drop_slots(self._slots(self._periods.pop(excess)))
        return self._periods[number]

    def _drop_slots(self, slots: Iterable[str]) -> None:
        """Make room for other slots: drop those that no period contains any more."""
        for slot in slots:
            position = 2 * self._columns[slot]
            if not any(any(values[position : position + 2]) for values in self._periods.values()):
                del self._columns[slot]

    def _slots(self, values: "array[float]") -> dict[str, tuple[float, float]]:
        return {
            slot: (values[2 * column], values[2 * column + 1])
            for slot, column in self._columns.items()
            if any(values[2 * column : 2 * column + 2])
        }


def _share(in_use: float, free: float, length: float) -> UseShare:
    return UseShare(in_use, free, max(0.0, length - in_use - free))


def _sum(shares: Sequence[UseShare]) -> UseShare:
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
