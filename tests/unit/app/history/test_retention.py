"""Which entries are deleted when, and that no wrong clock deletes the history."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from dstack_backend.adapters.memory_entries import Entries
from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.app.history.retention import MAX_ENTRIES, WITNESSES, Retention
from dstack_backend.domain import Timestamp
from dstack_backend.domain.history import EntryGroup, HistoryEntry
from dstack_backend.testing.fakes import EPOCH
from tests.unit.app.history.harness import FaultyStore, HistoryHarness, eventually, play
from tests.unit.history_entries import at, up

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LIMIT = MAX_ENTRIES[EntryGroup.STATUS]


def entry(moment: datetime) -> HistoryEntry:
    """Return an entry of a time."""
    return replace(up(0), at=moment)


class Service:
    """A service that keeps entries for a day, and its entries: at first one a day, four of them."""

    def __init__(self, count: int = 4, step: timedelta = DAY) -> None:
        self.entries = Entries()
        self.entries.add(entry(EPOCH - step * days) for days in range(count, 0, -1))
        self.alive_at: datetime = EPOCH
        self.monotonic = 1000.0
        self.restart()

    def restart(self) -> None:
        """Start again."""
        self.retention = Retention(DAY)

    def save(self, moment: datetime, after: float = 0.0) -> int:
        """Save an entry so many seconds later, at a time of the wall clock; return the number."""
        self.monotonic += after
        now = Timestamp(self.monotonic, moment)
        self.retention.start(self.alive_at, now)
        self.alive_at = moment
        self.entries.add([entry(moment)])
        self.retention.apply(self.entries, now)
        return len(self.entries.status)

    @property
    def times(self) -> list[datetime]:
        """The times of all entries, in the order of writing."""
        return [each.at for each in self.entries.status]


def test_old_entries_are_deleted_every_hour_but_not_at_the_start() -> None:
    """While a machine boots its clock may be wrong; then every entry would look too old."""
    service = Service()
    assert service.save(EPOCH) == 5
    assert service.save(EPOCH + HOUR / 2, 1800.0) == 6
    assert service.save(EPOCH + HOUR, 1800.0) == 4
    assert service.times[0] == EPOCH - DAY, "it still holds at the start of the kept day"
    assert service.save(EPOCH + 1.5 * HOUR, 1800.0) == 5


@pytest.mark.parametrize("ahead", [2 * DAY, 400 * DAY])
def test_clock_ahead_for_hours_deletes_no_recent_entry(ahead: timedelta) -> None:
    """Whether it was ahead from the start on or set while the service ran."""
    for first in (EPOCH, EPOCH + ahead):
        service = Service()
        service.save(first)
        for hour in range(1, 4):
            service.save(EPOCH + ahead + hour * HOUR, 3600.0)
        assert EPOCH - DAY in service.times


def test_clock_that_was_not_set_deletes_nothing() -> None:
    """Nor does a boot in 1970 keep old entries for ever after a restart."""
    service = Service()
    service.save(datetime.fromtimestamp(0, EPOCH.tzinfo))
    service.save(EPOCH + HOUR, 3600.0)
    assert len(service.times) == 6
    service.restart()
    service.save(EPOCH + HOUR, 1.0)
    service.save(EPOCH + 2 * HOUR, 3600.0)
    assert service.times[0] == EPOCH - DAY


def test_entry_of_an_unset_clock_makes_nothing_old() -> None:
    """Entries from before a boot in 1970 are kept as long as without it."""
    unset = datetime.fromtimestamp(0, EPOCH.tzinfo)
    service = Service()
    service.entries.add([entry(unset)])
    service.save(EPOCH)
    service.save(EPOCH + HOUR, 3600.0)
    assert service.times == [EPOCH - DAY, unset, EPOCH, EPOCH + HOUR]


def test_frequent_restarts_delete_old_entries_at_the_start() -> None:
    """So many entries since then agree that the clock is right."""
    service = Service(count=150, step=HOUR)
    service.save(EPOCH)
    assert len(service.times) < 151
    assert service.times[0] == service.times[-WITNESSES] - DAY - HOUR


def test_start_by_a_clock_ahead_deletes_nothing() -> None:
    """A few entries of such a clock, of starts before, do not prove it right."""
    service = Service(count=150, step=HOUR)
    for _ in range(10):
        service.restart()
        service.save(EPOCH + 400 * DAY, 1.0)
    assert EPOCH - HOUR in service.times
    assert len(service.times) > 120


def test_last_entry_is_never_deleted() -> None:
    """A node that has been up for longer than the retention is still known to be up."""
    service = Service(count=1)
    service.retention.start(EPOCH + 999 * DAY, Timestamp(0, EPOCH + 999 * DAY))
    for entries in (service.entries, Entries()):
        count = len(entries.status)
        service.retention.apply(entries, Timestamp(0, EPOCH))
        service.retention.apply(entries, Timestamp(3600, EPOCH + 1000 * DAY))
        assert len(entries.status) == count


def test_more_entries_than_the_limit_are_deleted_at_once() -> None:
    """Before the first load as well, and between the hourly looks at the age."""
    entries = Entries()
    retention = Retention(400 * DAY)
    entries.add(up(second) for second in range(LIMIT + 3))
    retention.apply(entries, Timestamp(0, at(0)))
    assert entries.oldest() == {EntryGroup.STATUS: 4}
    retention.start(None, Timestamp(0, at(0)))
    entries.add([up(0)])
    retention.apply(entries, Timestamp(1, at(1)))
    retention.apply(entries, Timestamp(2, at(2)))
    assert entries.oldest() == {EntryGroup.STATUS: 5}


def test_store_that_hangs_does_not_fill_the_memory() -> None:
    """A flapping node: memory stays at its limit, and the store gets all that is left."""
    store = FaultyStore([up(n - LIMIT, n) for n in range(1, LIMIT)], at(-5))
    harness = HistoryHarness(store)

    async def scenario() -> None:
        async with harness.running():
            await eventually(lambda: store.appends)
            store.running.clear()
            for number in range(1000):
                harness.change(up=bool(number % 2))
            count = len(await harness.log.latest(2 * LIMIT))
            store.running.set()
            assert LIMIT <= count <= LIMIT + 1
            await harness.beat()
            entries = MemoryHistory.load(store).entries
            assert len(entries) == LIMIT
            assert (await harness.log.latest(LIMIT))[::-1] == list(entries)

    play(scenario)


def test_deleted_entries_are_deleted_from_the_store() -> None:
    """With the next save; the numbers of the others stay."""
    old = [replace(up(0, n), at=EPOCH - DAY * (9 - n)) for n in range(1, 9)]
    harness = HistoryHarness(FaultyStore(old, EPOCH), keep=3 * DAY)

    async def scenario() -> None:
        async with harness.running():
            harness.change(up=True)
            await eventually(lambda: len(harness.stored) == 10)
            for _ in range(2):
                await harness.beat(3600)
            await harness.beat()
            numbers = [each.number for each in harness.store.load().entries]
            assert numbers == [6, 7, 8, 9, 10]

    play(scenario)
