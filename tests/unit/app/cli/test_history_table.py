"""The table of the command `history`."""

from dstack_backend.app.cli.commands.history_table import HistoryReport, as_text, window_report
from dstack_backend.domain.history import GapCause, HistoryEntry, Uptime
from tests.unit.history_entries import at, down, gap, up

DAY = 86_400.0


def rows(*entries: HistoryEntry, is_end_known: bool = True) -> list[list[str]]:
    """Return the cells of the lines about entries; `alive_at` is second 100."""
    report = HistoryReport(at(100), [], list(entries))
    block = as_text(report, is_end_known=is_end_known).split("\n\n")[1]
    return [line.split("   ") for line in block.splitlines()[1:]]


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
    assert [line.split(None, 1) for line in as_text(report).splitlines()[1:7]] == [
        ["a", "99.99 %    1 s        -"],
        ["b", "-          -          1 d (100 %)"],
        ["c", "100 %      -          1 s (< 0.01 %)"],
        ["d", "< 0.01 %   90 d       -"],
        ["e", "99.99 %    1 ms       90 d (50 %)"],
        ["f", "100 %      -          90 d (99.99 %)"],
    ]


def test_status_of_a_gap_is_shown_by_its_cause() -> None:
    """What is no stop and no suspension is unknown."""
    found = {cause: rows(gap(0, cause))[0][1].strip() for cause in GapCause}
    assert found == {
        GapCause.STOPPED: "not running",
        GapCause.SUSPENDED: "suspended",
        GapCause.CLOCK_SET_BACK: "unknown",
        GapCause.REPLACED: "unknown",
    }


def test_entry_lasted_until_the_next_one_or_the_last_sign_of_life() -> None:
    """Where later entries are left out, the end of the first one is not known."""
    assert [row[2].strip() for row in rows(down(30), up(10))] == ["1 min 10 s", "20 s"]
    assert [row[2].strip() for row in rows(down(30), up(10), is_end_known=False)] == ["", "20 s"]


def test_control_characters_of_a_message_are_escaped() -> None:
    """Messages of another source are not trusted: each entry stays on its line."""
    hostile = HistoryEntry(
        at=at(0), before=None, after=None, reason=None, message="a\n\x1b[31mb\u2028"
    )
    text = as_text(HistoryReport(at(0), [], [hostile]))
    assert r"a\n\u001b[31mb\u2028" in text
    assert "unknown" in text
    assert all(line.isprintable() for line in text.splitlines())
