"""What holds for each implementation of the port `History`."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import HistoryEntry, SpanState, Uptime, spans, uptime
from dstack_backend.domain.ports import HistoryStore
from dstack_backend.domain.status import Status
from dstack_backend.testing.history_strategies import PAST_BEGINS, pasts
from dstack_backend.testing.strategies import nasty_texts

__all__ = ["HistoryContract"]

_EXAMPLES = settings(max_examples=30, deadline=None)
_SECONDS = st.integers(-10, 130)


def _at(second: float) -> datetime:
    return PAST_BEGINS + timedelta(seconds=second)


def _entry(second: float, *, up: bool = True) -> HistoryEntry:
    return HistoryEntry(
        at=_at(second),
        before=None,
        after=Status.AVAILABLE if up else Status.UNAVAILABLE,
        reason=None if up else Reason.TIMED_OUT,
        message="8 GPUs, 5 free",
    )


class HistoryContract:
    """Subclass it, and say how a new, empty history is made."""

    def new(self) -> HistoryStore:
        """Make an empty history; each call another one."""
        raise NotImplementedError

    @contextmanager
    def _with(
        self, entries: Sequence[HistoryEntry], alive_at: datetime = PAST_BEGINS
    ) -> Generator[HistoryStore, None, None]:
        history = self.new()
        try:
            history.append(entries, alive_at)
            yield history
        finally:
            history.close()

    def test_in_the_beginning_there_is_no_past(self) -> None:
        """Nothing is known, not even that we ever ran."""
        history = self.new()
        assert history.alive_at() is None, "no sign of life is known"
        assert history.latest(10) == [], "there is no latest entry"
        assert history.between(_at(0), _at(100)) == [], "no time has an entry"
        history.close()

    def test_what_was_written_is_read_with_its_place(self) -> None:
        """Every field of every entry, in the order of writing, whatever its time and text."""

        @_EXAMPLES
        @given(pasts(nasty_texts()))
        def holds(entries: list[HistoryEntry]) -> None:
            with self._with(entries) as history:
                found = history.latest(100)
            numbered = [replace(entry, number=n) for n, entry in enumerate(entries, start=1)]
            assert found == numbered[::-1], "all entries, the last one first"

        holds()

    def test_the_latest_are_those_of_a_time_below_a_number(self) -> None:
        """Each condition holds, and nothing that meets all of them is missing."""

        @_EXAMPLES
        @given(pasts(), st.integers(0, 13), _SECONDS, _SECONDS, st.integers(1, 14))
        def holds(
            entries: list[HistoryEntry], limit: int, since: int, until: int, before: int
        ) -> None:
            with self._with(entries) as history:
                found = history.latest(limit, since=_at(since), until=_at(until), before=before)
                every = history.latest(100)
            in_time = [entry for entry in every if _at(since) <= entry.at < _at(until)]
            expected = [entry for entry in in_time if entry.number < before][:limit]
            assert found == expected, "those that meet all conditions"

        holds()

    def test_a_time_is_known_from_its_own_entries(self) -> None:
        """What is read for a time tells of it what the whole past tells."""

        @_EXAMPLES
        @given(pasts(), _SECONDS, _SECONDS)
        def holds(entries: list[HistoryEntry], one: int, other: int) -> None:
            since, until = sorted((_at(one), _at(other)))
            with self._with(entries) as history:
                some = history.between(since, until)
            expected = spans(entries, since, until, until)
            assert spans(some, since, until, until) == expected, "the time as the whole past has it"

        holds()

    def test_of_a_long_past_only_the_time_asked_for_is_read(self) -> None:
        """And the one entry that says what held at its beginning."""
        with self._with([_entry(second) for second in range(10)]) as history:
            numbers = [entry.number for entry in history.between(_at(5), _at(8))]
            assert numbers == [5, 6, 7, 8], "three of the time, and the one before it"

    def test_a_wrong_clock_hides_nothing_that_was_written_after_it(self) -> None:
        """Not set at a boot, or ahead: the time after it is known from what came after it."""
        window = _at(5), _at(30), _at(30)
        for wrong in (-1_700_000_000, 25, 30 * 86_400):
            lying = _entry(wrong, up=False)
            entries = [_entry(0), lying, _entry(10), _entry(20, up=False), _entry(90)]
            with self._with(entries) as history:
                some = history.between(_at(5), _at(30))
            assert spans(some, *window) == spans(entries, *window)
            assert uptime(spans(some, *window)) == Uptime(15, 10, 0)

    def test_a_clock_that_was_not_set_makes_nothing_old(self) -> None:
        """A boot in 1970 is no reason to forget what was before it."""
        entries = [_entry(0), _entry(10), _entry(-1_700_000_000), _entry(30)]
        with self._with(entries) as history:
            history.prune(_at(5), 100)
            assert [entry.number for entry in history.latest(10)] == [4, 3, 2, 1]
            history.prune(_at(15), 100)
            assert [entry.number for entry in history.latest(10)] == [4, 3, 2]

    def test_the_last_sign_of_life_counts(self) -> None:
        """Also one by a clock that was set back, and without any change."""
        with self._with([_entry(1)], _at(50)) as history:
            assert history.alive_at() == _at(50), "the sign that was written"
            history.append([], _at(40))
            assert history.alive_at() == _at(40), "the last sign, and not the highest"
            assert len(history.latest(10)) == 1, "a sign of life is no entry"

    @pytest.mark.parametrize("year", [1970, 2000, 2026, 2099])
    def test_a_time_is_kept_to_the_microsecond(self, year: int) -> None:
        """In any year that a clock may show."""
        moment = datetime(year, 7, 1, 12, 0, 0, 999_999, tzinfo=UTC)
        with self._with([replace(_entry(0), at=moment)], moment) as history:
            assert history.latest(1)[0].at == moment, "an entry's time"
            assert history.alive_at() == moment, "the time of the sign of life"

    def test_what_is_old_is_forgotten_but_for_what_still_holds(self) -> None:
        """The uptime of the time that is kept stays what it was."""
        entries = [_entry(0), _entry(10, up=False), _entry(20), _entry(30, up=False)]
        with self._with(entries) as history:
            before = history.between(_at(15), _at(40))
            history.prune(_at(15), 100)
            numbers = [entry.number for entry in history.latest(10)]
            assert numbers == [4, 3, 2], "what is younger, and what held then"
            assert history.between(_at(15), _at(40)) == before, "the time reads as before"

    def test_the_last_entry_is_never_forgotten(self) -> None:
        """A node that has been up for longer than the retention is still known to be up."""
        with self._with([_entry(0), _entry(1)]) as history:
            history.prune(_at(1000), 1)
            kept = [(entry.number, entry.state) for entry in history.latest(10)]
            assert kept == [(2, SpanState.UP)], "the last entry alone"

    def test_of_too_many_the_last_are_kept_and_numbers_go_on(self) -> None:
        """A number names one entry for ever."""
        with self._with([_entry(second) for second in range(10)]) as history:
            history.prune(_at(0), 3)
            history.append([_entry(11)], _at(11))
            numbers = [entry.number for entry in history.latest(10)]
            assert numbers == [11, 10, 9, 8], "the last three, and a number of its own for the new"
