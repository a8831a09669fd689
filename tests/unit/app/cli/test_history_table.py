"""The table of the command `history`."""

from collections.abc import Collection

from msgspec.structs import replace

from dstack_backend.app.cli.commands.history_table import (
    HistoryReport,
    as_text,
    history_report,
    window_report,
)
from dstack_backend.domain.gpu import Gpu, GpuChange, GpuChangeKind
from dstack_backend.domain.history import (
    DEFAULT_KINDS,
    EntryKind,
    GapCause,
    HistoryEntry,
    StoredHistory,
    Uptime,
    entry_for_gpu,
)
from tests.unit.history_entries import at, down, gap, up

DAY = 86_400.0


def rows(
    *entries: HistoryEntry, limit: int = 9, kinds: Collection[EntryKind] = DEFAULT_KINDS
) -> list[list[str]]:
    """Return time, status, duration and text of the lines; `alive_at` is second 100."""
    numbered = [replace(each, number=number) for number, each in enumerate(entries, start=1)]
    stored = StoredHistory(numbered, at(100))
    report = history_report(stored, at(100), limit, kinds=kinds)
    header, *lines = as_text(report, stored).split("\n\n")[1].splitlines()
    starts = [header.index(name) for name in ("since", "status", "lasted", "why")]
    ends = [*starts[1:], None]
    return [
        [line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines
    ]


def gpu(second: float, kind: GpuChangeKind, slot: str = "3b:00.0") -> HistoryEntry:
    """Return the entry of a change of an H200."""
    card = Gpu(slot=slot, product_id="10de:2335", description="", is_free=True)
    last_seen = at(second - 1) if kind is GpuChangeKind.LOST else None
    return entry_for_gpu(GpuChange(kind, at(second), card, last_seen))


def test_table_never_rounds_to_all_or_nothing() -> None:
    """One second of outage in 90 days is not 100 %."""
    report = HistoryReport(
        at(0),
        [
            window_report("a", Uptime(90 * DAY - 1, 1.0, 0.0)),
            window_report("b", Uptime(0.0, 0.0, DAY)),
            window_report("c", Uptime(DAY, 0.0, 1.0)),
            window_report("d", Uptime(1.0, 90 * DAY, 0.0)),
            window_report("e", Uptime(90 * DAY - 0.001, 0.001, 90 * DAY)),
            window_report("f", Uptime(0.001, 0.0, 90 * DAY)),
        ],
        [],
    )
    assert [line.split(None, 1) for line in as_text(report, StoredHistory()).splitlines()[1:7]] == [
        ["a", "99.99 %    1 s        -"],
        ["b", "-          -          1 d (100 %)"],
        ["c", "100 %      -          1 s (< 0.01 %)"],
        ["d", "< 0.01 %   90 d       -"],
        ["e", "99.99 %    1 ms       90 d (50 %)"],
        ["f", "100 %      -          90 d (99.99 %)"],
    ]


def test_status_of_a_gap_is_shown_by_its_cause() -> None:
    """What is no stop and no suspension is unknown."""
    found = {cause: rows(gap(0, cause))[0][1] for cause in GapCause}
    assert found == {
        GapCause.STOPPED: "not running",
        GapCause.SUSPENDED: "suspended",
        GapCause.CLOCK_SET_BACK: "unknown",
        GapCause.REPLACED: "unknown",
    }


def test_status_lasted_until_the_next_one_or_the_last_sign_of_life() -> None:
    """Neither a GPU between them nor a change that is not shown makes it shorter or longer."""
    history = up(10), gpu(15, GpuChangeKind.LOST), down(30), gpu(40, GpuChangeKind.FOUND), up(60)
    assert [row[2] for row in rows(*history)] == ["40 s", "", "30 s", "", "20 s"]
    only_gaps = rows(up(10), gap(30, GapCause.STOPPED), up(60), kinds={EntryKind.GAP})
    assert [row[2] for row in only_gaps] == ["30 s"]


def test_change_of_a_gpu_has_no_status() -> None:
    """The text has slot, model, and when it was last seen."""
    (row,) = rows(gpu(61, GpuChangeKind.LOST))
    assert row[1:3] == ["", ""]
    assert row[3] == "GPU lost: H200 SXM 141GB in 3b:00.0, last seen 2026-01-01 00:01:00 UTC"


def test_use_of_gpus_is_listed_where_it_is_asked_for() -> None:
    """It would hide everything else."""
    history = up(0), gpu(1, GpuChangeKind.ALLOCATED), gpu(2, GpuChangeKind.RELEASED)
    assert len(rows(*history)) == 1
    (row,) = rows(*history, kinds={EntryKind.GPU_ALLOCATED})
    assert row[3] == "GPU allocated: H200 SXM 141GB in 3b:00.0"


def test_control_characters_of_a_message_are_escaped() -> None:
    """Messages of another source are not trusted: each entry stays on its line."""
    hostile = HistoryEntry(
        at=at(0), before=None, after=None, reason=None, message="a\n\x1b[31mb\u2028"
    )
    text = as_text(HistoryReport(at(0), [], [hostile]), StoredHistory([hostile]))
    assert r"a\n\u001b[31mb\u2028" in text
    assert "unknown" in text
    assert all(line.isprintable() for line in text.splitlines())
