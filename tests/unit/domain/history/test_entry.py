"""History entries: their state, how a change becomes one, and the selection of the latest."""

from datetime import UTC, datetime
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode, encode
from msgspec.structs import replace

from dstack_backend.domain import (
    BackendStatus,
    CheckFailure,
    Gpu,
    GpuInventory,
    Reason,
    Status,
    Timestamp,
    assess,
)
from dstack_backend.domain.gpu import GpuChange, GpuChangeKind
from dstack_backend.domain.history import (
    EntryGroup,
    EntryKind,
    GapCause,
    HistoryEntry,
    SpanState,
    StoredHistory,
    entry_for,
    entry_for_gpu,
    is_same_entry,
    latest,
)
from dstack_backend.domain.status import Change
from dstack_backend.testing.strategies import entry_lists
from tests.unit.history_entries import at, down, gap, up

GOOD = assess(GpuInventory())
REFUSED = assess(CheckFailure(Reason.CONNECTION_REFUSED))
SLOW = assess(CheckFailure(Reason.TIMED_OUT))
STARTING = assess(CheckFailure(Reason.STARTING))
NOW = Timestamp(7.0, datetime(2026, 11, 24, tzinfo=UTC))
SECONDS = st.integers(-30, 150)
STOPPED = GapCause.STOPPED


@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        (STARTING, GOOD, (None, Status.AVAILABLE)),
        (STARTING, REFUSED, (None, Status.UNAVAILABLE)),
        (GOOD, REFUSED, (Status.AVAILABLE, Status.UNAVAILABLE)),
        (REFUSED, SLOW, (Status.UNAVAILABLE, Status.UNAVAILABLE)),
        (REFUSED, GOOD, (Status.UNAVAILABLE, Status.AVAILABLE)),
    ],
)
def test_change_becomes_entry(
    before: BackendStatus, after: BackendStatus, statuses: tuple[Status | None, Status]
) -> None:
    """With time, statuses, reason and message; before the first check no status is known."""
    assert entry_for(Change(NOW, before, after)) == HistoryEntry(
        at=NOW.utc,
        before=statuses[0],
        after=statuses[1],
        reason=after.reason,
        message=after.message,
    )


def test_change_of_inventory_alone_is_no_entry() -> None:
    """The node is as available as before."""
    assert entry_for(Change(NOW, GOOD, GOOD)) is None


def test_long_message_is_cut_to_500_characters() -> None:
    """Messages of another source may be long; the file stays small."""
    entry = entry_for(Change(NOW, GOOD, assess(CheckFailure(Reason.TIMED_OUT, "x" * 10_000))))
    assert entry is not None
    assert len(entry.message) == 500


def test_message_can_always_be_encoded() -> None:
    """A lone surrogate becomes a question mark: neither SQLite nor JSON accepts one."""
    entry = entry_for(Change(NOW, GOOD, assess(CheckFailure(Reason.TIMED_OUT, "a\ud800b"))))
    assert entry is not None
    assert entry.message == "Connection error: a?b"


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (up(0), SpanState.UP),
        (down(0), SpanState.DOWN),
        (replace(down(0), reason=None), SpanState.DOWN),
        (replace(down(0), reason=Reason.STARTING), SpanState.UNKNOWN),
        (replace(down(0), reason=Reason.STALE), SpanState.UNKNOWN),
        *((gap(0, cause), SpanState.UNKNOWN) for cause in GapCause),
    ],
)
def test_state_of_entry(entry: HistoryEntry, state: SpanState) -> None:
    """Up while available, down while a check failed, unknown while there was no check."""
    assert entry.state is state


def test_gap_causes_are_stable_codes_with_messages() -> None:
    """The codes are in the file and in JSON; messages are for people."""
    codes = {"stopped", "suspended", "clock_set_back", "replaced"}
    assert {cause.value for cause in GapCause} == codes
    assert len({cause.message for cause in GapCause}) == len(codes)
    for cause in GapCause:
        encoded = encode(gap(0, cause))
        assert decode(encoded)["gap"] == cause.value
        assert decode(encoded, type=HistoryEntry) == gap(0, cause)


def test_same_entry_ignores_only_the_message() -> None:
    """A damaged byte of the text makes no other entry."""
    entry = down(5, 3)
    assert is_same_entry(entry, replace(entry, message="\ufffd"))
    for other in (
        down(6, 3),
        down(5, 4),
        replace(entry, before=Status.AVAILABLE),
        replace(entry, after=None),
        replace(entry, reason=Reason.STALE),
        replace(entry, gap=GapCause.STOPPED),
    ):
        assert not is_same_entry(entry, other)


@given(entry_lists(), st.integers(0, 13), SECONDS, SECONDS, st.integers(1, 14))
def test_latest_returns_entries_that_meet_all_conditions(
    entries: list[HistoryEntry], limit: int, since: int, until: int, before: int
) -> None:
    """The last written first, and none that meets them is missing."""
    numbered = [replace(entry, number=number) for number, entry in enumerate(entries, start=1)]
    newest_first = numbered[::-1]
    found = latest(newest_first, limit, since=at(since), until=at(until), before=before)
    matching = [
        entry
        for entry in reversed(numbered)
        if at(since) <= entry.at < at(until) and entry.number < before
    ]
    assert found == matching[:limit]
    assert latest(newest_first, limit) == newest_first[:limit]


def test_latest_of_many_entries_is_quick() -> None:
    """50,000 entries of which none matches: the event loop is not blocked for long."""
    entries = [up(second, second + 1) for second in range(50_000)]
    started = process_time()  # of the processor: the machine may have more to do
    assert latest(entries, 1000, since=at(50_000), until=at(60_000)) == []
    assert process_time() - started < 0.2


GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)


@pytest.mark.parametrize("kind", list(GpuChangeKind))
def test_change_of_a_gpu_becomes_entry(kind: GpuChangeKind) -> None:
    """With its slot, product id and model, and when it was last seen."""
    entry = entry_for_gpu(GpuChange(kind, NOW.utc, GPU, at(5)))
    assert (entry.kind, entry.at) == (f"gpu_{kind}", NOW.utc)
    assert entry.gpu
    assert (entry.gpu.slot, entry.gpu.product_id) == ("3b:00.0", "10de:2335")
    assert (entry.gpu.model, entry.gpu.last_seen) == ("H200 SXM 141GB", at(5))
    assert entry.message.startswith("GPU ")
    assert (entry.kind.group is EntryGroup.USE) == kind.is_use


def test_message_of_a_gpu_with_hostile_texts_is_bounded() -> None:
    """Each character may become six."""
    hostile = replace(GPU, slot="\u202e" * 40, product_id="\x1b" * 200)
    entry = entry_for_gpu(GpuChange(GpuChangeKind.LOST, NOW.utc, hostile, at(5)))
    assert len(entry.message) == 500
    assert entry.message.isprintable()


def test_use_of_gpus_is_listed_where_it_is_asked_for() -> None:
    """It would hide everything else."""
    entries = [
        up(9),
        *(entry_for_gpu(GpuChange(kind, at(5), GPU)) for kind in GpuChangeKind),
    ]
    found = [entry.kind.value for entry in latest(entries, 9)]
    assert found == ["status", "gpu_lost", "gpu_found", "gpu_replaced"]
    (released,) = latest(entries, 9, kinds={EntryKind.GPU_RELEASED})
    assert released.kind is EntryKind.GPU_RELEASED


@pytest.mark.parametrize(
    ("entries", "until"),
    [([], 50), ([down(1), up(2)], 50), ([up(1), down(20)], 20), ([up(1), gap(30, STOPPED)], 30)],
)
def test_stored_history_is_available_until(entries: list[HistoryEntry], until: int) -> None:
    """The last sign of life, or the end of the time in which it was; GPUs were last seen then."""
    seen = entry_for_gpu(GpuChange(GpuChangeKind.LOST, at(45), GPU, at(2)))
    assert StoredHistory([*entries, seen], at(50)).available_until == at(until)
