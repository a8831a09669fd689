"""What a new process tells, after what an earlier one told."""

from collections.abc import Sequence
from datetime import UTC, datetime

from dstack_backend.domain.history import EntryKind, HistoryEntry, StoredHistory
from dstack_backend.domain.notification import NotifyPolicy, NotifyState, resume
from dstack_backend.domain.timestamp import Timestamp
from dstack_backend.testing.fakes import ORIGIN
from tests.unit.domain.notification.timeline import Timeline, gpu
from tests.unit.history_entries import at, down, gap, up

LOST = EntryKind.GPU_LOST


def after_restart(
    stored: Sequence[HistoryEntry], alive_at: float, *entries: HistoryEntry
) -> list[tuple[float, list[str]]]:
    """Return what a process tells that starts 5 s after the earlier one ended."""
    now = Timestamp(ORIGIN + alive_at + 5, at(alive_at + 5))
    timeline = Timeline(state=resume(StoredHistory(stored, at(alive_at)), now, NotifyPolicy()))
    timeline.add(entries)
    timeline.pass_until(100_000)
    return timeline.texts


def test_first_start_tells_nothing() -> None:
    """There is no history."""
    assert resume(StoredHistory(), Timestamp(0, at(0)), NotifyPolicy()) == NotifyState()


def test_restart_tells_nothing() -> None:
    """Neither after a stop nor after a `kill -9`, which leaves no gap."""
    assert after_restart([up(0), gap(100)], 100, up(106)) == []
    assert after_restart([up(0)], 100, up(106)) == []


def test_end_of_an_outage_that_the_earlier_process_told_is_told() -> None:
    """With the duration from its begin on."""
    for stored in ([down(0)], [down(0), gap(100)]):
        assert after_restart(stored, 100, up(400)) == [(400, ["available 400"])]


def test_outage_that_was_told_is_not_told_again() -> None:
    """Also over several restarts."""
    stored = [down(0), gap(100), down(105), gap(110), down(115)]
    assert after_restart(stored, 120, down(126), up(400)) == [(400, ["available 400"])]


def test_outage_that_was_not_told_is_told() -> None:
    """A service that restarts before it could tell does not keep it a secret."""
    stored = [down(0), gap(50), down(55), gap(100)]
    assert after_restart(stored, 100, down(106)) == [(166, ["unavailable"])]
    assert after_restart(stored, 100, up(106)) == []


def test_what_was_waiting_is_told() -> None:
    """It waited for `every` seconds to pass when the service was restarted."""
    stored = [up(0), gpu(LOST, 100, 90), down(110), up(200), gpu(LOST, 250, 240)]
    assert after_restart(stored, 260, up(266)) == [(400, ["available 90", "gpu_lost"])]


def test_what_was_told_before_an_earlier_restart_is_not_told_again() -> None:
    """The messages of each process count, not the time that it was off."""
    stored = [up(0), gpu(LOST, 100, 90), gap(110), up(120), gpu(LOST, 500, 90)]
    assert after_restart(stored, 510, up(516)) == []


def test_long_absence_is_told_with_the_first_check() -> None:
    """The network saw the node as unavailable meanwhile."""
    now = Timestamp(ORIGIN + 7300, at(7300))
    timeline = Timeline(state=resume(StoredHistory([up(0)], at(100)), now, NotifyPolicy()))
    timeline.add([])
    timeline.pass_until(7300)
    assert [texts for _, texts in timeline.texts] == [["not_running 7200"]]


def test_absence_is_not_told_by_a_clock_that_was_not_set() -> None:
    """It would have lasted for years."""
    unset = datetime(1970, 1, 1, tzinfo=UTC)
    now = Timestamp(ORIGIN, at(0))
    assert resume(StoredHistory([], unset), now, NotifyPolicy()) == NotifyState()


def test_clock_behind_the_history_counts_as_no_absence() -> None:
    """A machine without a battery for its clock has lost the time."""
    now = Timestamp(ORIGIN, datetime(1970, 1, 1, tzinfo=UTC))
    timeline = Timeline(state=resume(StoredHistory([down(0)], at(100)), now, NotifyPolicy()))
    timeline.add([up(10)])
    timeline.pass_until(300)
    assert timeline.texts == [(260, ["available 110"])]


def test_only_the_last_entries_are_looked_at() -> None:
    """The use of GPUs is not among them."""
    use = [gpu(EntryKind.GPU_ALLOCATED, 1) for _ in range(2000)]
    stored = [down(0), *use]
    assert after_restart(stored, 100, up(400)) == [(400, ["available 400"])]
    hidden = [down(0), *(gpu(EntryKind.GPU_FOUND, 1) for _ in range(2000))]
    assert after_restart(hidden, 100, up(400)) == []
