"""`/history` and `/uptime`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from msgspec.structs import replace

from dstack_backend.domain import Reason, Status
from dstack_backend.domain.gpu import GpuChange, GpuChangeKind
from dstack_backend.domain.history import EntryKind, GapCause, entry_for_gpu
from dstack_backend.testing.fakes import EPOCH, FakeHistory
from tests.unit.adapters.litestar_http.harness import (
    ENTRIES,
    GPU,
    AppClient,
    entry,
    history_of_day,
)

NOW_HOURS = 90 * 24


@pytest.fixture(scope="module")
def app() -> Iterator[AppClient]:
    """An application with a history of five entries, one an hour from 01:00 on."""
    app = AppClient()
    with app.client:
        yield app


def _numbers(page: Any) -> list[int]:
    return [entry["number"] for entry in page["entries"]]


def test_history_lists_the_newest_entries_first(app: AppClient) -> None:
    """Each with all its fields."""
    page = app.get("/history").json()
    assert _numbers(page) == [5, 4, 3, 2, 1]
    assert page["next"] is None
    assert page["entries"][3] == {
        "kind": "status",
        "at": "2026-01-01T02:00:00Z",
        "before": None,
        "after": "unavailable",
        "reason": "connection_refused",
        "gap": None,
        "gpu": None,
        "message": "Connection error: connection refused",
        "number": 2,
    }


def test_history_names_the_cause_of_a_gap(app: AppClient) -> None:
    """A code for programs, beside the message."""
    gap = app.get("/history").json()["entries"][2]
    assert (gap["after"], gap["reason"], gap["gap"]) == (None, None, "stopped")


def test_history_next_leads_through_all_pages(app: AppClient) -> None:
    """Within the requested window, without a loss; the last page has no link."""
    path = "/history?limit=2&since=2026-01-01T02:00Z&until=2026-01-01T09:00Z"
    pages: list[list[int]] = []
    while True:
        page = app.get(path).json()
        pages.append(_numbers(page))
        if page["next"] is None:
            break
        path = urljoin(path, page["next"])
    assert pages == [[5, 4], [3, 2]]


GPU_CHANGES = [
    entry_for_gpu(GpuChange(kind, EPOCH, GPU, EPOCH if kind is GpuChangeKind.LOST else None))
    for kind in GpuChangeKind
]
"""Numbers 6 to 10: lost, found, replaced, allocated, released."""


@pytest.fixture(scope="module")
def gpu_app() -> Iterator[AppClient]:
    """An application with each kind of entry."""
    app = AppClient(entries=[*ENTRIES, *GPU_CHANGES])
    with app.client:
        yield app


def test_history_has_the_gpu_of_a_change(gpu_app: AppClient) -> None:
    """A lost one with the time at which it was last seen."""
    (lost,) = gpu_app.get("/history?kind=gpu_lost").json()["entries"]
    gpu = {"slot": "3b:00.0", "product_id": "10de:2335", "model": "H200 SXM 141GB"}
    assert lost["gpu"] == {**gpu, "last_seen": "2026-01-01T00:00:00Z"}
    assert lost["message"].startswith("GPU lost: H200 SXM 141GB in 3b:00.0, last seen 2026-01-01")
    assert (lost["before"], lost["after"], lost["reason"], lost["gap"]) == (None,) * 4


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [8, 7, 6, 5, 4, 3, 2, 1]),
        ("kind=gap", [3]),
        ("kind=gpu_lost&kind=gpu_found", [7, 6]),
        ("kind=gpu_allocated,gpu_released", [10, 9]),
        ("kind=gap&kind=gpu_allocated,gap", [9, 3]),
        ("&".join(f"kind={kind}" for kind in EntryKind), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_history_is_selected_by_kind(gpu_app: AppClient, query: str, numbers: list[int]) -> None:
    """Without the use of GPUs by default. Links to older entries keep the kinds."""
    assert _numbers(gpu_app.get(f"/history?{query}").json()) == numbers
    found: list[int] = []
    link = f"history?limit=1&{query}"
    while link:
        page = gpu_app.get(f"/{link}").json()
        found += _numbers(page)
        link = page["next"]
    assert found == numbers


@pytest.mark.parametrize("kind", ["", "GAP", "gpu", "gap,", "gap;status", "%00"])
def test_history_names_the_valid_kinds_where_one_is_invalid(gpu_app: AppClient, kind: str) -> None:
    """400; what was sent is not repeated."""
    response = gpu_app.get(f"/history?kind=status&kind={kind}")
    detail = f"kind is not one of {', '.join(EntryKind)}"
    assert response.status_code == 400
    assert response.json() == {"status_code": 400, "detail": detail}


def test_history_next_is_valid_for_an_early_year(app: AppClient) -> None:
    """The link repeats a year before 1000 with its zeros."""
    link = app.get("/history?since=0999-01-01&limit=1").json()["next"]
    assert "since=0999-01-01T" in link
    assert app.get(f"/{link}").status_code == 200


@pytest.mark.parametrize(
    "since",
    [
        "2026-01-01T04:00:00Z",
        "2026-01-01T04:00",
        "2026-01-01T06:00:00+02:00",
        "2026-01-01T04:00:00.000001-00:00",
    ],
)
def test_history_accepts_iso_8601_with_and_without_a_zone(app: AppClient, since: str) -> None:
    """Without one it is UTC. A plus sign may be encoded or not."""
    expected = [5] if ".000001" in since else [5, 4]
    for written in (since, quote(since)):
        assert _numbers(app.get(f"/history?since={written}").json()) == expected


@pytest.mark.parametrize(
    "query",
    [
        *("since=yesterday", "until=", "since=1767225600", "until=2026-13-01T00:00:00Z"),
        *("since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00"),
        *("limit=0", "limit=1001", "limit=x", "before=0", "before=9223372036854775808"),
    ],
)
def test_history_rejects_invalid_parameters(app: AppClient, query: str) -> None:
    """400, and the body names the parameter."""
    response = app.get(f"/history?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.text


def test_uptime_has_the_shares_of_each_window() -> None:
    """Up of the known time, unknown of the whole time. It is computed once for 10 s."""
    app = AppClient(
        entries=[
            entry(NOW_HOURS - 30 * 24, Status.AVAILABLE),
            entry(NOW_HOURS - 6, Status.UNAVAILABLE, Reason.TIMED_OUT),
            entry(NOW_HOURS - 3, None, gap=GapCause.STOPPED),
        ]
    )
    with app.client:  # one event loop for all requests
        windows = [app.get("/uptime").json()["windows"] for _ in range(9)][-1]
    assert app.history.calls == 2
    shares = {each["window"]: (each["up_percent"], each["unknown_percent"]) for each in windows}
    assert shares == {
        "24h": (round(100 * 18 / 21, 6), 12.5),
        "7d": (round(100 * 162 / 165, 6), round(100 * 3 / 168, 6)),
        "30d": (round(100 * 714 / 717, 6), round(100 * 3 / 720, 6)),
        "90d": (round(100 * 714 / 717, 6), round(100 * 1443 / 2160, 6)),
    }


def test_uptime_is_null_where_nothing_is_known() -> None:
    """Unknown time is never up."""
    windows = AppClient(history=history_of_day(0.0, 0.0, 1.0)).get("/uptime").json()["windows"]
    shares = {"up_percent": None, "unknown_percent": 100.0}
    assert windows[-1] == {"window": "90d", **shares, "recorded": True}


def test_windows_that_are_longer_than_the_record_say_so() -> None:
    """Of them no more is recorded than of the week, of which there are three days."""
    now = datetime.now(UTC)
    start = replace(entry(0, Status.AVAILABLE), at=now - timedelta(days=3))
    windows = AppClient(history=FakeHistory([start], now)).get("/uptime").json()["windows"]
    assert {each["window"]: each["recorded"] for each in windows} == {
        "24h": True,
        "7d": True,
        "30d": False,
        "90d": False,
    }


def test_an_empty_history_means_that_nothing_is_known() -> None:
    """Before the first entry, on every path that shows the history."""
    app = AppClient(entries=())
    with app.client:
        assert app.get("/history").json() == {"entries": [], "next": None}
        assert app.get("/uptime").json()["windows"][0]["unknown_percent"] == 100.0
        page = app.page()
    assert "No incidents recorded." in page
    assert "Nothing is recorded yet." in page
