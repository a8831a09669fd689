"""The incidents on the page, and the pages of older ones."""

import re
from datetime import timedelta

import pytest

from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES, translation
from dstack_backend.domain import HistoryEntry, Reason, Status, Timestamp
from dstack_backend.domain.history import EntryKind, GapCause, GpuEntry
from dstack_backend.domain.notification import NotifyPolicy, NotifyState, on_entry
from dstack_backend.testing.fakes import EPOCH
from tests.unit.adapters.litestar_http.harness import (
    AVAILABLE,
    BROWSER,
    ENTRIES,
    AppClient,
    ParsedPage,
    entry,
)
from tests.unit.adapters.litestar_http.page.rendering import page_of


def outages(count: int) -> list[HistoryEntry]:
    """Return outages of a quarter of an hour, one each hour."""
    return [
        each
        for hour in range(count)
        for each in (
            entry(hour, Status.UNAVAILABLE, Reason.TIMED_OUT),
            entry(hour + 0.25, Status.AVAILABLE),
        )
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_incidents_have_their_length(language: str) -> None:
    """Until the next change. What is available is no incident."""
    html = AppClient(AVAILABLE).page(language)
    texts = translation(language)
    gap, hour = texts.gaps[GapCause.STOPPED], texts.units["h"].format(1)
    assert f"{gap.name} {gap.meaning} {hour}" in ParsedPage(html).text
    assert html.count('<time class="clock"') == 3
    assert html.count(f'<span class="length">{hour}</span>') == 3


def test_incidents_have_their_message() -> None:
    """The reason of an outage, with its detail, and the others that it had."""
    page = ParsedPage(AppClient(AVAILABLE).page())
    assert "Unavailable Connection error: connection refused 1 h" in page.text
    later = entry(2.5, Status.UNAVAILABLE, Reason.UNAUTHORIZED)
    page = ParsedPage(page_of(AVAILABLE, entries=[*ENTRIES[:2], later, ENTRIES[-1]]))
    assert "connection refused then: Unauthorized 3 h" in page.text


def test_lost_gpu_was_missing_since_it_was_last_seen() -> None:
    """The message of its return says the same."""
    gpu = GpuEntry("3b:00.0", "10de:2335", "H200 SXM 141GB", EPOCH + timedelta(hours=1))
    lost, found = (
        HistoryEntry(kind=kind, at=EPOCH + timedelta(hours=hour), gpu=gpu, message="")
        for kind, hour in ((EntryKind.GPU_LOST, 1.5), (EntryKind.GPU_FOUND, 4))
    )
    html = page_of(AVAILABLE, entries=[ENTRIES[0], lost, found])
    assert '<span class="length">3 h</span>' in html
    event = on_entry(NotifyState(), found, Timestamp(0, found.at), NotifyPolicy()).waiting[0]
    assert event.seconds == 3 * 3600


def test_what_lasts_says_so() -> None:
    """The last one, until now."""
    page = ParsedPage(page_of(AVAILABLE, entries=[entry(-2, Status.UNAVAILABLE, Reason.STALE)]))
    assert "2 h so far" in page.text


def test_incidents_are_grouped_by_day() -> None:
    """A day is named once."""
    days = re.findall(
        r'<h3 class="day">(\S+) <span', AppClient(AVAILABLE, entries=outages(30)).page()
    )
    assert days == ["2026-01-02", "2026-01-01"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_older_incidents_are_on_pages(language: str) -> None:
    """Each once, in the language of the page, with its headers; links lead to the oldest."""
    app = AppClient(AVAILABLE, entries=outages(130))
    html = app.page(language)
    times: list[str] = re.findall(r'<time class="clock" datetime="([^"]+)"', html)
    assert len(times) == 12
    while link := re.search(r'id="older" href="([^"]+)"', html):
        response = app.get("/" + link[1].replace("&amp;", "&"), **BROWSER)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"].startswith("default-src 'none';")
        assert response.headers["content-language"] == language
        html = response.text
        assert translation(language).strings["incidents"] in html
        times += re.findall(r'<time class="clock" datetime="([^"]+)"', html)
    assert len(times) == 130
    assert times == sorted(set(times), reverse=True)


def test_a_page_of_incidents_links_to_what_exists() -> None:
    """To its files, to the newer ones, to the present status, and to the other language."""
    app = AppClient(AVAILABLE, entries=outages(130))
    page = ParsedPage(app.get("/incidents?before=200&lang=zh", **BROWSER).text)
    targets = {
        str(attributes.get("href") or attributes.get("src"))
        for tag, attributes in page.tags
        if tag in {"a", "link", "script"}
    }
    assert {"./?lang=zh", "incidents?lang=zh", "incidents?before=200&lang=en"} < targets
    for target in targets:
        assert app.get("/" + target.removeprefix("./")).status_code == 200, target


def test_a_page_without_incidents_says_so() -> None:
    """And has no link to older ones; a number that is none is refused."""
    app = AppClient(AVAILABLE, entries=())
    html = app.get("/incidents").text
    assert "No incidents recorded." in html
    assert "older" not in html
    refused = app.get("/incidents?before=x")
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/json"
