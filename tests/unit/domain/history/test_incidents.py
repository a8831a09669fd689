"""Incidents: what began and ended besides normal operation."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dstack_backend.domain import Reason
from dstack_backend.domain.history import (
    EntryGroup,
    EntryKind,
    GapCause,
    GpuEntry,
    HistoryEntry,
    Incident,
    SpanState,
    incidents,
    record_start,
    status_entries,
)
from dstack_backend.domain.timestamp import MIN_VALID_TIME
from dstack_backend.testing.strategies import entry_lists
from tests.unit.history_entries import at, down, gap, up

GPU = GpuEntry("3b:00.0", "10de:2335", "H200")


def of_gpu(second: float, number: int, kind: EntryKind, gpu: GpuEntry = GPU) -> HistoryEntry:
    """Return an entry of a GPU."""
    entry = replace(up(second, number), after=None, kind=kind, gpu=gpu)
    return replace(entry, message=f"GPU {kind}")


def test_an_outage_lasts_until_the_node_is_available_again() -> None:
    """Its other reasons belong to it; what is available is no incident."""
    refused = replace(down(3, 3), reason=Reason.CONNECTION_REFUSED)
    entries = [up(1, 1), down(2, 2), refused, down(4, 4), up(9, 5)]
    outage = Incident(entries[1], at(9), (Reason.CONNECTION_REFUSED,))
    assert incidents(entries, [], 10) == [outage]


def test_a_page_cut_within_an_outage_shows_all_of_its_reasons_and_its_end() -> None:
    """`before` lies between its first entry and a later one."""
    refused = replace(down(3, 3), reason=Reason.CONNECTION_REFUSED)
    answered = replace(down(4, 4), reason=Reason.HTTP_ERROR)
    entries = [up(1, 1), down(2, 2), refused, answered, up(9, 5)]
    outage = Incident(entries[1], at(9), (Reason.CONNECTION_REFUSED, Reason.HTTP_ERROR))
    for before in (3, 4, 5, 6):
        assert incidents(entries, [], 10, before=before) == [outage]
    assert incidents(entries, [], 10, before=2) == []


def test_an_outage_ends_with_a_gap() -> None:
    """And a gap with an outage. The last one lasts."""
    entries = [down(1, 1), gap(2, GapCause.STOPPED, 2), down(5, 3)]
    expected = [Incident(entries[2]), Incident(entries[1], at(5)), Incident(entries[0], at(2))]
    assert incidents(entries, [], 10) == expected


def test_a_lost_gpu_ends_with_its_return() -> None:
    """Where the loss is not known any more, and for a new GPU, it is an incident of its own."""
    lost, found = EntryKind.GPU_LOST, EntryKind.GPU_FOUND
    other = replace(GPU, slot="5d:00.0")
    gpus = [
        of_gpu(1, 1, found, other),
        of_gpu(2, 2, lost),
        of_gpu(3, 3, lost, other),
        of_gpu(4, 4, found),
        of_gpu(5, 5, lost),
        of_gpu(6, 6, EntryKind.GPU_REPLACED),
    ]
    assert incidents([], gpus, 10) == [
        Incident(gpus[5]),
        Incident(gpus[4]),
        Incident(gpus[2]),
        Incident(gpus[1], at(4)),
        Incident(gpus[0]),
    ]


def test_a_gpu_is_lost_since_it_was_last_listed() -> None:
    """As messages say; an outage begins with its entry."""
    gpu = replace(GPU, last_seen=at(2))
    assert Incident(of_gpu(9, 1, EntryKind.GPU_LOST, gpu)).start == at(2)
    assert Incident(of_gpu(9, 1, EntryKind.GPU_FOUND)).start == at(9)
    assert Incident(down(9, 1)).start == at(9)


@given(entry_lists(with_gpus=True), st.integers(1, 4))
def test_pages_have_each_incident_once_and_the_same(
    entries: list[HistoryEntry], limit: int
) -> None:
    """The end of an incident may be among the entries of a page before."""
    numbered = [replace(entry, number=number) for number, entry in enumerate(entries, 1)]
    status = status_entries(numbered)
    gpus = [entry for entry in numbered if entry.kind.group is EntryGroup.GPU]
    everything = incidents(status, gpus, len(entries))
    paged: list[Incident] = []
    before = None
    while page := incidents(status, gpus, limit, before):
        assert len(page) <= limit
        paged += page
        before = page[-1].entry.number
    assert paged == everything
    begun = {each.entry.number for each in everything if not each.entry.gpu}
    earlier = SpanState.UNKNOWN
    for entry in status:
        continues = earlier is entry.state is SpanState.DOWN
        assert (entry.number in begun) == (entry.state is not SpanState.UP and not continues)
        earlier = entry.state


def test_the_record_starts_with_the_first_entry_of_a_set_clock() -> None:
    """The order of writing is not that of the clock."""
    early = replace(up(0), at=MIN_VALID_TIME.replace(year=MIN_VALID_TIME.year - 1))
    assert record_start([early, down(9), up(4)]) == at(4)
    nothing: datetime | None = record_start([early])
    assert nothing is None
