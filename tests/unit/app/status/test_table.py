"""The rows as plain text and as a drawing."""

import re
from datetime import timedelta

import pytest
from rich.cells import cell_len

from dstack_backend.app.status.rows import NodeRow, make_row
from dstack_backend.app.status.table import as_drawing, as_text
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.domain.status import Status
from tests.unit.app.status.answers import NODE, NOW, answer, lost

SINCE = NOW - timedelta(minutes=59, seconds=59)
UPTIME = {"24h": 99.99, "30d": 0.001}
NAME = "a-node-with-the-longest-name-of-40-chars"
GOOD = make_row(NODE, answer(node="gpu-01"))
LOST = make_row(NODE, answer(node="gpu-02", degraded=True, missing=(lost("3b:00.0", 5),)))
DOWN = make_row(
    NODE,
    answer(
        node=NAME,
        status=Status.UNAVAILABLE,
        reason="timed_out",
        message="Connection error: " + "no answer " * 15,
        inventory=None,
        last_change=SINCE,
        uptime=UPTIME,
    ),
)
GONE = make_row(NODE, CheckFailure(Reason.CONNECTION_REFUSED))
ALL = [GOOD, LOST, DOWN, GONE]


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def plain(text: str) -> list[str]:
    """Return the lines without colours."""
    return re.sub("\x1b\\[[0-9;]*m", "", text).split("\n")


def drawn(rows: list[NodeRow], columns: int, lines: int | None = None, pending: int = 0) -> str:
    """Return a drawing."""
    return as_drawing(rows, NOW, (columns, lines), pending=pending)


def test_plain_text_has_a_line_per_node_of_which_nothing_is_cut() -> None:
    """Columns for programs and pipes, without an escape sequence."""
    lines = as_text(ALL, NOW).split("\n")
    assert re.split("   +", lines[0]) == [
        *("node", "status", "for", "in use", "free", "missing", "up 24h", "up 30d", "reason"),
    ]
    assert [re.split("   +", line) for line in lines[1:]] == [
        ["gpu-01", "available", "1 h", "3", "5", "0", "99.5 %", "97.25 %"],
        ["gpu-02", "degraded", "5 min", "3", "5", "1", "99.5 %", "97.25 %", "missing: 3b:00.0"],
        [
            *(NAME, "unavailable", "59 min 59 s", "-", "-", "0", "99.99 %", "< 0.01 %"),
            DOWN.message.rstrip(),
        ],
        [
            *("gpu-01", "no answer", "-", "-", "-", "-", "-", "-"),
            "Connection error: connection refused",
        ],
    ]


def test_wide_drawing_has_the_reasons_beside_the_nodes() -> None:
    """The first line counts the nodes by status."""
    lines = plain(drawn(ALL, 140))
    assert lines[0] == "4 nodes: 1 available, 1 degraded, 1 unavailable, 1 no answer"
    (line,) = (line for line in lines if line.startswith("gpu-02"))
    assert line.split() == [
        *("gpu-02", "degraded", "5", "min", "3", "5", "1", "99.5", "%", "97.25", "%"),
        *("missing:", "3b:00.0"),
    ]


def test_narrow_drawing_has_the_reasons_below() -> None:
    """For each node with a problem; nothing is cut, and no number is broken."""
    lines = plain(drawn(ALL, 80))
    assert all(len(line) <= 80 for line in lines)
    assert "gpu-02: missing: 3b:00.0" in lines
    assert "gpu-01: Connection error: connection refused" in lines
    text = " ".join(" ".join(lines).split())
    assert f"{NAME}: {DOWN.message.strip()}" in text
    for cells in ("unavailable 59 min 59 s", "99.99 % < 0.01 %", "degraded 5 min 3 5 1"):
        assert cells in text


@pytest.mark.parametrize("columns", [20, 40, 80, 140, 300])
def test_no_line_is_longer_than_the_terminal(columns: int) -> None:
    """Also with Chinese names, whose characters are two columns wide."""
    chinese = make_row(NODE, answer(node="北京机房一号节点" * 4))
    for line in plain(drawn([*ALL, chinese], columns)):
        assert cell_len(line) <= columns


def test_status_has_a_colour_and_a_word() -> None:
    """Without colours the words remain."""
    text = drawn(ALL, 140)
    assert "\x1b[32mavailable" in text
    assert "\x1b[33mdegraded" in text
    assert "\x1b[1;31munavailable" in text


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org: bold is no colour."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert set(re.findall("\x1b\\[([0-9;]*)m", drawn(ALL, 140))) <= {"0", "1", "2"}


def test_texts_are_no_markup() -> None:
    """A node cannot choose a colour, a link or an emoji."""
    row = make_row(NODE, answer(node="[red]a[/] :smile:", message="x", degraded=True))
    assert "[red]a[/] :smile: degraded" in "\n".join(plain(drawn([row], 80)))


def test_nodes_with_problems_come_first_where_the_lines_do_not_suffice() -> None:
    """The first line counts all, and the last one says that some are not shown."""
    rows = [GOOD] * 20 + [GONE]
    assert plain(drawn(rows, 140, 40))[2].startswith("gpu-01  available")
    lines = plain(drawn(rows, 140, 10))
    assert len(lines) < 10
    assert lines[0] == "21 nodes: 20 available, 1 no answer"
    assert lines[2].startswith("gpu-01  no answer")
    assert lines[-1] == "... (make the terminal larger for the rest)"


def test_nodes_that_are_still_asked_are_counted() -> None:
    """The first drawing comes at once."""
    assert plain(drawn([], 80, pending=1)) == ["1 node: 1 being asked"]
    assert plain(drawn([GOOD], 80, pending=2))[0] == "3 nodes: 1 available, 2 being asked"
