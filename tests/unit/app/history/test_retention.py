"""What is forgotten when, and that no wrong clock wipes the past."""

from datetime import datetime, timedelta

import pytest

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.history.retention import WITNESSES, Retention
from dstack_backend.domain import Status, Timestamp
from dstack_backend.domain.history import HistoryEntry
from dstack_backend.testing.fakes import EPOCH

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def entry(at: datetime) -> HistoryEntry:
    """An entry."""
    return HistoryEntry(at=at, before=None, after=Status.AVAILABLE, reason=None, message="8 GPUs")


class RuntimeEnvironment:
    """A service that keeps a day, and what it keeps: one entry a day, four of them."""

    def __init__(self, count: int = 4, step: timedelta = DAY) -> None:
        self.history = MemoryHistory()
        self.monotonic = 1000.0
        past = [entry(EPOCH - step * days) for days in range(count, 0, -1)]
        self.history.append(past, EPOCH)
        self.start()

    def start(self) -> None:
        """Start, or start again."""
        self.pruning = Retention(DAY)

    def look(self, at: datetime, after: float = 0.0) -> int:
        """Let so many seconds pass, and write when the clock shows that time: what is left?"""
        self.monotonic += after
        now = Timestamp(self.monotonic, at)
        self.pruning.begin(self.history, now)
        self.history.append([entry(at)], at)
        self.pruning.prune(self.history, now)
        return len(self.history.latest(1000))


def test_the_old_is_forgotten_every_hour_but_not_at_the_start() -> None:
    """While a machine boots its clock may be wrong; then everything would look too old."""
    place = RuntimeEnvironment()
    assert place.look(EPOCH) == 5
    assert place.look(EPOCH + HOUR / 2, 1800.0) == 6
    assert place.look(EPOCH + HOUR, 1800.0) == 4
    assert place.history.latest(10)[-1].at == EPOCH - DAY
    assert place.look(EPOCH + 1.5 * HOUR, 1800.0) == 5


@pytest.mark.parametrize("ahead", [2 * DAY, 400 * DAY])
def test_a_clock_that_is_ahead_for_hours_makes_nothing_old(ahead: timedelta) -> None:
    """Be it from the start on, or set while we run."""
    for first in (EPOCH, EPOCH + ahead):
        place = RuntimeEnvironment()
        place.look(first)
        for hour in range(1, 4):
            place.look(EPOCH + ahead + hour * HOUR, 3600.0)
        left = [each.at for each in place.history.latest(100)]
        assert EPOCH - DAY in left


def test_a_clock_that_was_behind_is_no_measure() -> None:
    """What a boot in 1970 says is no reason to forget, nor to keep for ever after a restart."""
    place = RuntimeEnvironment()
    place.look(datetime.fromtimestamp(0, EPOCH.tzinfo))
    place.look(EPOCH + HOUR, 3600.0)
    assert len(place.history.latest(100)) == 6
    place.start()
    place.look(EPOCH + HOUR, 1.0)
    place.look(EPOCH + 2 * HOUR, 3600.0)
    assert place.history.latest(100)[-1].at == EPOCH - DAY


def test_a_service_that_restarts_again_and_again_forgets_at_its_start() -> None:
    """It has written so many entries since that its clock is no mistake."""
    place = RuntimeEnvironment(count=150, step=HOUR)
    place.look(EPOCH)
    kept = place.history.latest(1000)
    assert len(kept) < 151
    assert kept[-1].at == kept[WITNESSES - 1].at - DAY - HOUR


def test_a_start_by_a_clock_that_is_ahead_forgets_nothing() -> None:
    """A few entries of such a clock, of starts before, do not prove it right."""
    place = RuntimeEnvironment(count=150, step=HOUR)
    for _ in range(10):
        place.start()
        place.look(EPOCH + 400 * DAY, 1.0)
    assert EPOCH - HOUR in [each.at for each in place.history.latest(1000)]
    assert len(place.history.latest(1000)) > 120
