"""What the writer puts before what waits: the time in which we did not run, and what holds."""

from datetime import datetime, timedelta

from dstack_backend.app.history.unwritten import Unwritten
from dstack_backend.app.history.writer import HistoryWriter
from msgspec.structs import replace

from dstack_backend.adapters.memory_history import MemoryHistory
from dstack_backend.domain import Reason, Status, Timestamp
from dstack_backend.domain.history import NOT_RUNNING, HistoryEntry
from dstack_backend.testing.fakes import EPOCH

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE

Told = tuple[float, Status | None]


def at(second: float) -> datetime:
    """A moment."""
    return EPOCH + timedelta(seconds=second)


def entry(second: float, after: Status = UP) -> HistoryEntry:
    """An entry."""
    reason = None if after is UP else Reason.TIMED_OUT
    return HistoryEntry(at=at(second), before=None, after=after, reason=reason, message="told")


class RuntimeEnvironment:
    """A writer, and the history that is there when it opens it."""

    def __init__(self, *entries: HistoryEntry, alive: float = 0.0) -> None:
        self.unwritten = Unwritten()
        self.writer = HistoryWriter(lambda: self.history, self.unwritten, timedelta(days=400))
        self.put(*entries, alive=alive)

    def put(self, *entries: HistoryEntry, alive: float = 0.0) -> None:
        """Let another history be there."""
        self.history = MemoryHistory()
        if entries:
            self.history.append(entries, at(alive))

    def swap(self, *entries: HistoryEntry, alive: float = 0.0) -> None:
        """Let the file that is open become another one."""
        self.history.prune(at(0), 0)
        self.history.append(entries, at(alive))

    def write(self, second: float, *entries: HistoryEntry) -> None:
        """Write at a second."""
        self.unwritten.add(*entries)
        self.writer.write(Timestamp(second, at(second)))

    @property
    def told(self) -> list[Told]:
        """What is written: second and status."""
        written = self.history.latest(100)[::-1]
        return [((each.at - EPOCH).total_seconds(), each.after) for each in written]


def test_the_gap_comes_first_and_once() -> None:
    """From the last sign of life of the service before."""
    place = RuntimeEnvironment(entry(0), alive=10)
    place.write(20)
    place.write(30, entry(25))
    assert place.told == [(0, UP), (10, None), (25, UP)]
    assert place.history.latest(2)[1].message == NOT_RUNNING


def test_a_file_begun_anew_gets_what_holds() -> None:
    """And says since when; once."""
    place = RuntimeEnvironment()
    place.write(20, entry(15), entry(20, DOWN))
    place.swap()
    place.write(30)
    place.write(40)
    assert place.told == [(20, DOWN)]


def test_a_copy_in_the_place_of_the_file_is_told_what_it_missed() -> None:
    """From its last sign of life on nothing is known, until what holds began."""
    place = RuntimeEnvironment()
    place.write(20, entry(5), entry(18, DOWN))
    place.swap(entry(5), alive=10)
    place.write(30, entry(25))
    assert place.told == [(5, UP), (10, None), (18, DOWN), (25, UP)]


def test_a_foreign_file_in_its_place_is_told_what_holds_now() -> None:
    """Its own past is left as it is."""
    place = RuntimeEnvironment()
    place.write(20, entry(5))
    place.swap(entry(0, DOWN), alive=10)
    place.write(30)
    assert place.told == [(0, DOWN), (10, None), (10, UP)]


def test_a_copy_that_misses_nothing_is_gone_on_with() -> None:
    """The time since it was made is known."""
    place = RuntimeEnvironment()
    place.write(20, entry(5))
    place.swap(entry(5), alive=10)
    place.write(30)
    assert place.told == [(5, UP)]


def test_whoever_takes_over_a_folder_tells_nothing_twice() -> None:
    """Of what it saw while another service wrote, only what holds at the end of that one."""
    place = RuntimeEnvironment(entry(0), entry(50, DOWN), alive=100)
    place.unwritten.add(entry(20), entry(50, DOWN))
    place.write(110, entry(105))
    assert place.told == [(0, UP), (50, DOWN), (100, None), (100, DOWN), (105, UP)]


def test_a_clock_that_was_ahead_at_the_last_stop_takes_nothing_away() -> None:
    """What came since the start was later, whatever the file says."""
    place = RuntimeEnvironment(entry(0), alive=5000)
    place.write(110, entry(90, DOWN), entry(105))
    assert place.told == [(0, UP), (5000, None), (90, DOWN), (105, UP)]


def test_whoever_opens_a_history_again_owes_a_gap_again() -> None:
    """An application may live twice."""
    place = RuntimeEnvironment()
    place.write(10, entry(5))
    place.writer.close()
    place.write(30, replace(entry(25), message="again"))
    assert place.told == [(5, UP), (10, None), (25, UP)]
