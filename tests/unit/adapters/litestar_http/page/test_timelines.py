"""The timelines: which windows are shown, what counts, and how a bar is divided."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.adapters.litestar_http.page.timelines import BARS, timelines_context
from dstack_backend.domain import HistoryEntry, Reason, Status
from dstack_backend.domain.history import (
    WINDOWS,
    record_start,
    spans,
    timeline,
    uptime_windows,
)
from dstack_backend.testing.fakes import EPOCH
from tests.unit.adapters.litestar_http.harness import entry


def timelines_of(
    *entries: HistoryEntry, hours: float, language: str = "en"
) -> dict[str, dict[str, Any]]:
    """Return the timelines so many hours after `EPOCH`."""
    now = EPOCH + timedelta(hours=hours)
    slots = {
        name: timeline(spans(entries, now - length, now, now), now - length, now, BARS[name])
        for name, length in WINDOWS.items()
    }
    uptime = uptime_windows(entries, now, now)
    return timelines_context(uptime, slots, record_start(entries), now, translation(language))


UP = entry(0, Status.AVAILABLE)


@pytest.mark.parametrize(
    ("hours", "windows", "is_partial"),
    [
        (0.05, ["24h"], True),
        (24, ["24h"], False),
        (30, ["24h", "7d"], True),
        (24 * 20, ["24h", "7d", "30d"], True),
        (24 * 45, ["24h", "7d", "30d", "90d"], True),
        (24 * 120, ["24h", "7d", "30d", "90d"], False),
    ],
)
def test_a_window_beyond_the_record_is_not_shown(
    hours: float, windows: list[str], *, is_partial: bool
) -> None:
    """The longest one that is shown may begin before the record."""
    shown = timelines_of(UP, hours=hours)
    assert list(shown) == windows
    partial = [each["is_partial"] for each in shown.values()]
    assert partial == [False] * (len(windows) - 1) + [is_partial]


def test_time_before_the_record_is_not_unknown() -> None:
    """A service that runs for three minutes was up for all of the recorded time."""
    line = timelines_of(UP, hours=0.05)["24h"]
    assert line["uptime"].up_percent == 100
    assert line["uptime"].unknown_percent == 0
    assert [bar["parts"] for bar in line["bars"]] == [{}] * 47 + [{"up": 20}]
    assert line["bars"][0]["text"] == "before the first check"
    assert line["bars"][-1]["text"] == "up 3 min"


def test_without_a_record_there_is_no_timeline() -> None:
    """Before the first entry."""
    assert timelines_of(hours=5) == {}


def test_a_bar_has_the_outage_above_what_is_up() -> None:
    """With the length of each state; bars with down time are listed as text."""
    outage = entry(22.5, Status.UNAVAILABLE, Reason.TIMED_OUT)
    entries = UP, outage, entry(22.75, Status.AVAILABLE)
    line = timelines_of(*entries, hours=24)["24h"]
    (bar,) = line["outages"]
    assert list(bar["parts"].items()) == [("down", 10), ("up", 10)]
    assert bar["text"] == "down 15 min, up 15 min"
    assert bar["begin"] == EPOCH + timedelta(hours=22.5)
    (bar,) = timelines_of(*entries, hours=24, language="zh")["24h"]["outages"]
    assert bar["text"] == "不可用 15 分钟，可用 15 分钟"


def test_the_axis_names_equal_steps() -> None:
    """Its labels are spread evenly, the last of them is the present."""
    shown = timelines_of(UP, hours=24 * 120)
    assert shown["24h"]["ticks"] == ["24 h", "18 h", "12 h", "6 h"]
    assert [len(line["ticks"]) for line in shown.values()] == [4, 7, 3, 3]


@given(
    st.lists(st.tuples(st.floats(0, 48), st.sampled_from((*Status, None))), max_size=8),
    st.floats(1, 60),
)
def test_each_bar_is_divided_as_a_whole(
    changes: list[tuple[float, Status | None]], hours: float
) -> None:
    """Every state that occurs is visible, and the parts add up."""
    entries = [entry(0, Status.AVAILABLE)]
    entries += [
        entry(at, after, Reason.TIMED_OUT if after is Status.UNAVAILABLE else None)
        for at, after in changes
    ]
    for line in timelines_of(*entries, hours=hours).values():
        for bar in line["bars"]:
            parts = bar["parts"]
            assert sum(parts.values()) == (20 if parts else 0)
            assert all(each >= 1 for each in parts.values())
            assert ("down" in bar["text"]) == (parts.get("down", 0) >= 4)
