"""`/history` and `/uptime` over a past that somebody sets."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.testing.fakes import FakeHealth
from tests.unit.adapters.litestar_http.page_harness import FakeHistory


@asynccontextmanager
async def _nothing(_: Litestar) -> AsyncGenerator[None, None]:
    yield


@pytest.fixture
def past() -> FakeHistory:
    """A past of five entries, one an hour from 01:00 on."""
    return FakeHistory()


@pytest.fixture
def client(past: FakeHistory) -> Iterator[TestClient[HealthApp]]:
    """A client of the face over that past."""
    with TestClient(HealthApp(FakeHealth(), lambda _: b"", _nothing, past)) as client:
        yield client


def _numbers(answer: Any) -> list[int]:
    return [entry["number"] for entry in answer["entries"]]


def test_history_gives_the_changes_newest_first(client: TestClient[HealthApp]) -> None:
    """Each with all that is known of it."""
    answer = client.get("/history").json()
    assert _numbers(answer) == [5, 4, 3, 2, 1]
    assert answer["next"] is None
    assert answer["entries"][3] == {
        "at": "2026-01-01T02:00:00Z",
        "before": None,
        "after": "unavailable",
        "reason": "connection_refused",
        "message": "Connection error: connection refused",
        "number": 2,
    }


def test_next_leads_through_all_pages_and_loses_nothing(client: TestClient[HealthApp]) -> None:
    """Within the window that was asked for; the last page has none."""
    path: str | None = "/history?limit=2&since=2026-01-01T02:00Z&until=2026-01-01T09:00Z"
    pages: list[list[int]] = []
    while path:
        answer = client.get(path).json()
        pages.append(_numbers(answer))
        path = answer["next"]
    assert pages == [[5, 4], [3, 2]]


@pytest.mark.parametrize(
    "since",
    [
        "2026-01-01T04:00:00Z",
        "2026-01-01T04:00",
        "2026-01-01T06:00:00+02:00",
        "2026-01-01T04:00:00.000001-00:00",
    ],
)
def test_times_are_iso_8601_and_utc_where_no_zone_is_named(
    client: TestClient[HealthApp], since: str
) -> None:
    """A plus sign may be encoded or not."""
    expected = [5] if ".000001" in since else [5, 4]
    for written in (since, quote(since)):
        assert _numbers(client.get(f"/history?since={written}").json()) == expected


@pytest.mark.parametrize(
    "query",
    [
        *("since=yesterday", "until=", "since=1767225600", "until=2026-13-01T00:00:00Z"),
        *("since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00"),
        *("limit=0", "limit=1001", "limit=x", "before=0", "before=9223372036854775808"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: TestClient[HealthApp], query: str) -> None:
    """400, with a word on what is wrong."""
    response = client.get(f"/history?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.text


def test_uptime_names_the_shares_of_each_window(
    client: TestClient[HealthApp], past: FakeHistory
) -> None:
    """Up of the known time, unknown of the whole: unknown time is never up."""
    past.day = (0.6, 0.2, 0.2)
    answer = client.get("/uptime").json()
    assert [each["window"] for each in answer["windows"]] == ["24h", "7d", "30d", "90d"]
    assert {each["up_percent"] for each in answer["windows"]} == {75.0}
    assert {each["unknown_percent"] for each in answer["windows"]} == {20.0}
    assert past.asked == 1


def test_where_nothing_is_known_no_uptime_is_claimed(
    client: TestClient[HealthApp], past: FakeHistory
) -> None:
    """`null` of 100 % unknown."""
    past.day = (0.0, 0.0, 1.0)
    last = client.get("/uptime").json()["windows"][-1]
    assert last == {"window": "90d", "up_percent": None, "unknown_percent": 100.0}


@pytest.mark.parametrize("path", ["/history", "/uptime"])
def test_a_past_that_cannot_be_read_is_a_503_with_a_safe_sentence(
    client: TestClient[HealthApp], past: FakeHistory, path: str
) -> None:
    """Nothing of the cause goes out."""
    past.broken = True
    response = client.get(path)
    assert response.status_code == 503
    assert response.json() == {"status_code": 503, "detail": "The history cannot be read now."}


def test_without_a_past_nothing_is_known() -> None:
    """Whoever mounts the handlers alone gets answers all the same."""
    with TestClient(HealthApp(FakeHealth(), lambda _: b"", _nothing)) as client:
        assert client.get("/history").json() == {"entries": [], "next": None}
        assert client.get("/uptime").json()["windows"][0]["unknown_percent"] == 100.0
        events = client.get("/events").text
    assert events == 'retry: 2000\nid: 0\ndata: {"status":"unavailable","reason":"starting"}\n\n'


def test_next_leads_on_from_an_early_year(client: TestClient[HealthApp]) -> None:
    """The link repeats a year before 1000 with its zeros, and is answered."""
    path = client.get("/history?since=0999-01-01&limit=1").json()["next"]
    assert "since=0999-01-01T" in path
    assert client.get(path).status_code == 200
