"""The log where its store was emptied, restored from a copy, damaged, or written to by another."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from dstack_backend.domain import Status
from dstack_backend.domain.history import GapCause, HistoryEntry
from tests.unit.app.history.harness import FaultyStore, HistoryHarness, eventually, play
from tests.unit.history_entries import at, down, gap, up

UP, DOWN = Status.AVAILABLE, Status.UNAVAILABLE
STOPPED, REPLACED = GapCause.STOPPED, GapCause.REPLACED
CHANGED = "the history file was changed"

Seen = list[tuple[float, Status | GapCause | None]]


def seen(entries: Sequence[HistoryEntry]) -> Seen:
    """Return the second and the status or gap of each entry."""
    return [((each.at - at(0)).total_seconds(), each.after or each.gap) for each in entries]


class Scene:
    """A service that is up from second 5 and down from second 18, until its store is replaced."""

    def __init__(self) -> None:
        self.harness = HistoryHarness()
        self.before: list[HistoryEntry] = []

    def replace_at_20(
        self, entries: Sequence[HistoryEntry] = (), alive: float | None = None
    ) -> Seen:
        """Return what is stored 20 s and two heartbeats after the replacement."""

        async def scenario() -> None:
            harness = self.harness
            async with harness.running():
                await harness.clock.advance(5)
                harness.change(up=True)
                await eventually(lambda: harness.stored == [UP])
                await harness.clock.advance(13)
                harness.change(up=False)
                await eventually(lambda: harness.stored == [UP, DOWN])
                self.before = await harness.log.latest(100)
                await harness.clock.advance(2)
                harness.store.replace(entries, None if alive is None else at(alive))
                await harness.beat()
                first = harness.store.load().entries
                await harness.beat()
                assert harness.store.load().entries == first, "a heartbeat adds no entry again"
                assert seen((await harness.log.latest(100))[::-1]) == seen(first)

        play(scenario)
        stored = self.harness.store.load().entries
        numbers = [entry.number for entry in stored]
        assert numbers == sorted(set(numbers)), "numbers are unique and increasing"
        return seen(stored)


def test_emptied_store_gets_everything_again(caplog: pytest.LogCaptureFixture) -> None:
    """A corrupt file is quarantined, or the file was deleted: nothing is lost."""
    scene = Scene()
    assert scene.replace_at_20() == [(5, UP), (18, DOWN)]
    assert list(scene.harness.store.load().entries) == scene.before[::-1]
    assert caplog.text.count(CHANGED) == 1


def test_older_copy_gets_what_it_lacks() -> None:
    """No gap: the time since the copy was made is known."""
    scene = Scene()
    assert scene.replace_at_20([up(5, 1)], 10) == [(5, UP), (18, DOWN)]
    assert [entry.number for entry in scene.harness.store.load().entries] == [1, 2]


def test_damaged_last_entry_is_saved_again() -> None:
    """A store that skips it ends with the one before."""
    assert Scene().replace_at_20([up(5, 1)], 20) == [(5, UP), (18, DOWN)]


def test_copy_without_shared_entries_is_continued_after_a_gap() -> None:
    """As of last month: nothing is known from its last sign of life to the first entry here."""
    stored = Scene().replace_at_20([down(-90, 7), up(-50, 8)], -20)
    assert stored == [(-90, DOWN), (-50, UP), (-20, REPLACED), (5, UP), (18, DOWN)]


def test_foreign_store_is_continued_with_the_present_status() -> None:
    """Its own entries stay as they are."""
    assert Scene().replace_at_20([up(0, 40)], 19) == [(0, UP), (19, DOWN)]


def test_foreign_store_with_the_same_status_needs_no_entry() -> None:
    """So two services that write to one file for a while do not fill it."""
    assert Scene().replace_at_20([down(0, 40)], 19) == [(0, DOWN)]


def test_entries_of_a_second_writer_are_kept() -> None:
    """It wrote after the shared entries; what held here when it ended holds on."""
    stored = Scene().replace_at_20([up(5, 1), down(17.5, 2), up(19, 3)], 19.5)
    assert stored == [(5, UP), (17.5, DOWN), (19, UP), (19.5, DOWN)]


def test_foreign_store_of_a_clock_ahead_takes_no_entry_away() -> None:
    """Its last sign of life is in the future."""
    stored = Scene().replace_at_20([up(0, 40)], 5000)
    assert stored == [(0, UP), (5000, REPLACED), (5, UP), (18, DOWN)]


def test_published_number_stays_that_of_its_entry() -> None:
    """A copy of another node has fewer entries; those from here keep their higher numbers."""
    scene = Scene()
    scene.replace_at_20([up(-90, 1)], -20)
    assert [entry.number for entry in scene.harness.store.load().entries] == [1, 2, 3, 4]
    other = HistoryHarness(FaultyStore([up(-50, 500)], at(-40)))

    async def scenario() -> None:
        async with other.running():
            other.change(up=True)
            await eventually(lambda: len(other.stored) == 3)
            other.store.replace([down(-90, 3)], at(-80))
            await other.beat()
        numbers = [entry.number for entry in other.store.load().entries]
        assert numbers == [3, 4, 500, 501, 502]

    play(scenario)


def start_at_110(
    stored: Sequence[HistoryEntry], alive: float, changes: Sequence[tuple[float, bool]]
) -> Seen:
    """Return what is stored where the store could be opened only at second 110."""
    harness = HistoryHarness(FaultyStore(stored, at(alive)))

    async def scenario() -> None:
        now = 0.0
        for second, is_up in changes:
            await harness.clock.advance(second - now)
            harness.change(up=is_up)
            now = second
        await harness.clock.advance(110 - now)
        async with harness.running():
            await eventually(lambda: harness.store.appends)

    play(scenario)
    return seen(harness.store.load().entries)


def test_restart_adds_the_gap_before_its_own_entries() -> None:
    """From the last sign of life of the run before."""
    found = start_at_110([up(0, 1)], 10, [(25, True)])
    assert found == [(0, UP), (10, STOPPED), (25, UP)]


def test_takeover_from_another_service_repeats_nothing() -> None:
    """While the other one wrote, only the status at its end counts."""
    stored = [up(0, 1), down(50, 2)]
    changes = [(20, True), (50, False), (105, True)]
    assert start_at_110(stored, 100, changes) == [(0, UP), (50, DOWN), (105, UP)]
    found = start_at_110(stored, 100, [(20, True), (105, False)])
    assert found == [(0, UP), (50, DOWN), (100, UP), (105, DOWN)]


def test_clock_ahead_at_the_last_stop_takes_no_entry_away() -> None:
    """Entries since the start are later, whatever time is stored."""
    found = start_at_110([up(0, 1)], 5000, [(90, False), (105, True)])
    assert found == [(0, UP), (5000, STOPPED), (90, DOWN), (105, UP)]


def test_stored_gap_at_the_end_is_continued_without_another() -> None:
    """The run before had ended before its first check."""
    stored = [up(0, 1), replace(gap(10, STOPPED, 2), before=UP)]
    assert start_at_110(stored, 12, [(90, True)]) == [(0, UP), (10, STOPPED), (90, UP)]


def test_two_logs_on_one_store_do_not_fill_it() -> None:
    """Without working locks each sees that the other wrote; heartbeats add no entries."""
    store = FaultyStore()
    one, other = HistoryHarness(store), HistoryHarness(store)

    async def scenario() -> None:
        async with one.running(), other.running():
            for harness in (one, other):
                harness.change(up=True)
            for _ in range(5):
                for harness in (one, other):
                    await harness.beat()
            assert len(store.load().entries) <= 3
            for harness in (one, other):
                harness.change(up=False)
            for _ in range(5):
                for harness in (one, other):
                    await harness.beat()
            assert len(store.load().entries) <= 6
            assert seen(store.load().entries)[-1][1] is DOWN

    play(scenario)
