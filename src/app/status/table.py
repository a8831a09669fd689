"""The rows as text: plain columns for programs, and a drawing for a terminal."""

import io
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dstack_backend.app.cli.output import format_table
from dstack_backend.app.status.rows import NodeRow, NodeState
from dstack_backend.domain.formatting import format_duration, format_percent

__all__ = ["as_drawing", "as_text"]

WIDE = 120
"""Columns from which on the reasons stand beside the nodes, and not below them."""

_WORDS = {state: state.replace("_", " ") for state in NodeState}
_STYLES = {
    NodeState.AVAILABLE: "green",
    NodeState.DEGRADED: "yellow",
    NodeState.UNAVAILABLE: "bold red",
    NodeState.STALE: "bold magenta",
    NodeState.NO_ANSWER: "bold red",
}
_HEADER = ("node", "status", "for", "in use", "free", "missing", "up 24h", "up 30d", "reason")
_NUMBERS = _HEADER[3:8]


def as_text(rows: Sequence[NodeRow], now: datetime) -> str:
    """Return the rows as plain columns, of which nothing is cut."""
    return format_table([_HEADER, *(_cells(each, now) for each in rows)])


def as_drawing(
    rows: Sequence[NodeRow],
    now: datetime,
    size: tuple[int, int | None],
    *,
    pending: int = 0,
) -> str:
    """Return the rows for a terminal of so many columns and lines, `None` for any number.

    Where the lines do not suffice, nodes with a problem come first. `pending` nodes have not been
    asked yet.
    """
    width, height = size
    text = _draw(rows, now, width, pending)
    if height is None or text.count("\n") < height - 1:
        return text
    ordered = sorted(rows, key=lambda each: each.status is NodeState.AVAILABLE)
    lines = _draw(ordered, now, width, pending).split("\n")
    return "\n".join([*lines[: max(1, height - 2)], "... (make the terminal larger for the rest)"])


def _draw(rows: Sequence[NodeRow], now: datetime, width: int, pending: int) -> str:
    # Written to a text first: writing it to the terminal has errors of its own.
    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=100,  # with one of the two, rich does not believe a terminal without colours
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    is_wide = width >= WIDE
    problems = [each for each in rows if each.status is not NodeState.AVAILABLE]
    with console.capture() as drawn:
        console.print(Text(_summary(rows, pending), "bold"))
        if rows:
            console.print(_table(rows, now, is_wide=is_wide))
        if problems and not is_wide:
            console.print()
            for each in problems:
                line = Text.assemble((each.name, "bold"), f": {each.message}")
                console.print(line, overflow="fold")
    return "\n".join(line.rstrip() for line in drawn.get().rstrip("\n").split("\n"))


def _table(rows: Sequence[NodeRow], now: datetime, *, is_wide: bool) -> Table:
    gap = 2 if is_wide else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for name in _HEADER if is_wide else _HEADER[:-1]:
        is_short = name not in ("node", "reason")
        table.add_column(
            name,
            no_wrap=is_short,
            justify="right" if name in _NUMBERS else "left",
            overflow="fold",
        )
    for each in rows:
        cells = [Text(cell) for cell in _cells(each, now)]
        cells[1].stylize(_STYLES[each.status])
        table.add_row(*(cells if is_wide else cells[:-1]))
    return table


def _summary(rows: Sequence[NodeRow], pending: int) -> str:
    counts = Counter(each.status for each in rows)
    total = len(rows) + pending
    parts = [f"{counts[state]} {_WORDS[state]}" for state in NodeState if counts[state]]
    parts += [f"{pending} being asked"] if pending else []
    return f"{total} node{'' if total == 1 else 's'}: {', '.join(parts)}"


def _cells(row: NodeRow, now: datetime) -> tuple[str, ...]:
    duration = format_duration(int((now - row.since).total_seconds())) if row.since else "-"
    counts = (row.gpus_in_use, row.gpus_free, row.gpus_missing)
    shares = (row.uptime_24h, row.uptime_30d)
    return (
        *(row.name, _WORDS[row.status], duration),
        *("-" if each is None else str(each) for each in counts),
        *("-" if each is None else format_percent(each) for each in shares),
        "" if row.status is NodeState.AVAILABLE else row.message,
    )
