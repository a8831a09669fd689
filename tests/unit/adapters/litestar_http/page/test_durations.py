"""The chart of the durations of checks, and who asked for `/health`, on the page."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.litestar_http.page.durations import duration_chart
from dstack_backend.domain import Check, CheckFailure, CheckResult, GpuInventory, Reason, Timestamp
from dstack_backend.domain.durations import DurationPeriod, record_duration
from dstack_backend.testing.fakes import EPOCH
from tests.unit.adapters.litestar_http.harness import AVAILABLE, AppClient, ParsedPage


def check(seconds: float | None) -> Check:
    """Return a check that took so many seconds; `None`: it failed."""
    result: CheckResult = CheckFailure(Reason.TIMED_OUT) if seconds is None else GpuInventory()
    return Check(
        result=result,
        started=100.0 - (5.0 if seconds is None else seconds),
        finished=Timestamp(100.0, EPOCH),
    )


def test_without_a_good_check_there_is_no_chart() -> None:
    """The section is hidden."""
    assert duration_chart({}, EPOCH) is None
    assert duration_chart(record_duration({}, check(None)), EPOCH) is None
    assert '<section id="checks" hidden>' in AppClient(CheckFailure(Reason.TIMED_OUT)).page()


def test_the_chart_has_a_text_with_its_figures() -> None:
    """In both languages. The half hours with checks are a table, too."""
    app = AppClient(AVAILABLE)
    app.health.check_durations = {
        number: DurationPeriod(number=number, longest=1.5, failures=2, classes={-51: 3})
        for number in (period_now() - 1, period_now())
    }
    page = ParsedPage(app.page())
    labels = [str(attributes.get("aria-label")) for tag, attributes in page.tags if tag == "svg"]
    assert "Duration, last 24 hours: median 85 ms, longest 1 s, 4 failed" in labels
    assert page.text.count("UTC85 ms1 s2") == 2
    assert "中位数 85 毫秒\uff0c最长 1 秒\uff0c失败 4 次" in ParsedPage(app.page("zh")).text


@given(st.lists(st.none() | st.floats(0.0, 4000.0), min_size=1))
def test_marks_are_inside_the_chart(durations: list[float | None]) -> None:
    """The scale's top is not below the longest check, and at most two and a half times as high."""
    periods: dict[int, DurationPeriod] = {}
    for each in durations:
        periods = dict(record_duration(periods, check(each)))
    chart = duration_chart(periods, EPOCH + timedelta(minutes=1))
    if chart is None:
        assert set(durations) == {None}
        return
    longest = max(each for each in durations if each is not None)
    assert longest <= chart["top"] * 1.0001
    assert chart["top"] <= max(0.002, 2.5 * longest)
    assert bool(chart["failed"]) == (None in durations)
    for left, top, width, height in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)", chart["median"]):
        assert int(top) >= 0
        assert int(top) + int(height) == 100
        assert 0 <= int(left) <= 480 - int(width)


@pytest.mark.parametrize(
    ("count", "english", "chinese"),
    [
        (0, "never since the start", "启动以来从未收到"),
        (2, "0 s ago by 1 client", "来自 1 个客户端"),
    ],
)
def test_the_page_shows_when_health_was_asked(count: int, english: str, chinese: str) -> None:
    """So an operator sees whether the worker reaches the service; no address is shown."""
    app = AppClient(AVAILABLE)
    for _ in range(count):
        app.get("/health")
    assert f"Last request for /health {english}" in ParsedPage(app.page()).text
    assert chinese in ParsedPage(app.page("zh")).text
    assert "testclient" not in app.page()


def period_now() -> int:
    """Return the present half hour; the page has the real time."""
    from time import time  # noqa: PLC0415 - used here only

    return int(time() // 1800)
