"""The page of the application: history, language, security headers, assets, caching."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.domain import CheckFailure, CheckResult, NodeIdentity, Reason
from tests.unit.adapters.litestar_http.harness import (
    AVAILABLE,
    BROWSER,
    AppClient,
    ParsedPage,
    history_of_day,
)
from tests.unit.adapters.litestar_http.page.rendering import page_of


@pytest.fixture
def app() -> Iterator[AppClient]:
    """An application of an available node."""
    app = AppClient(AVAILABLE)
    with app.client:
        yield app


def test_unknown_time_is_shown_as_unknown() -> None:
    """With a pattern of its own, and never as up."""
    page = ParsedPage(AppClient(AVAILABLE, history=history_of_day(0.0, 0.0, 1.0)).page())
    bars = {
        str(attributes["class"]).split()[0]
        for tag, attributes in page.tags
        if tag == "i" and " " in str(attributes["class"])
    }
    assert bars == {"unknown"}
    assert "Not known" in page.text
    assert "Time without checks is unknown." in page.text


def test_an_outage_of_seconds_is_visible_in_a_timeline() -> None:
    """With at least four of the twenty parts of its bar, which is higher than the others."""
    history = history_of_day(1 - 5e-5, 5e-5, 0.0)  # 4 s
    page = ParsedPage(AppClient(AVAILABLE, history=history).page())
    bars = [(tag, attributes.get("class")) for tag, attributes in page.tags]
    place = bars.index(("i", "down p4"))
    assert bars[place - 1] == ("span", "out")
    assert bars[place + 1] == ("i", "up p16")
    titles = [attributes.get("title") for _, attributes in page.tags]
    assert "down 4 s, up 29 min 55 s" in titles


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((0.9999999, 0.0000001, 0.0), "99.99 % up"),
        ((1.0, 0.0, 0.0), "100 % up"),
        ((0.0, 0.5, 0.5), "0 % up"),
        ((0.99999, 0.0, 0.00001), "< 0.01 % unknown"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(
    day: tuple[float, float, float], expected: str
) -> None:
    """An outage of milliseconds is not 100 %."""
    page = ParsedPage(AppClient(AVAILABLE, history=history_of_day(*day)).page())
    assert expected in page.text


@pytest.mark.parametrize(
    ("day", "expected"), [((0.01, 0.0, 0.99), "99 % unknown"), ((0.75, 0.0, 0.25), "100 % up")]
)
def test_a_mostly_unknown_window_leads_with_the_unknown_share(
    day: tuple[float, float, float], expected: str
) -> None:
    """A service that ran for an hour does not show 100 % for a day."""
    app = AppClient(AVAILABLE, history=history_of_day(*day))
    assert f"<strong>{expected}</strong>" in app.page()


@pytest.mark.parametrize(
    ("header", "lang"), [("zh-CN,zh;q=0.9", "zh-CN"), ("zh-TW", "zh-CN"), ("de", "en"), ("", "en")]
)
def test_the_language_follows_accept_language(app: AppClient, header: str, lang: str) -> None:
    """The page names its language; English is the default."""
    assert f'<html lang="{lang}"' in app.page(header)


@pytest.mark.parametrize(("query", "lang"), [("zh", "zh-CN"), ("en", "en"), ("fr", "en")])
def test_a_link_switches_the_language(app: AppClient, query: str, lang: str) -> None:
    """It takes precedence over the header; an unknown language has no effect."""
    response = app.get(f"/?lang={query}", **BROWSER)
    assert f'<html lang="{lang}"' in response.text
    assert response.headers["content-language"] == query.replace("fr", "en")


def test_the_content_security_policy_allows_own_files_only(app: AppClient) -> None:
    """The page has no inline script or style and cannot be framed."""
    response = app.get("/", **BROWSER)
    policy = response.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "frame-ancestors 'none'" in policy
    assert not {"unsafe", "*", "http", "data:"} & set(" ".join(policy).replace("-", " ").split())
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert {"Accept", "Accept-Language"} <= set(response.headers["vary"].split(", "))
    for tag, attributes in ParsedPage(response.text).tags:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_links_and_files_of_the_page_are_relative_and_exist(app: AppClient) -> None:
    """See also `test_links_work_behind_a_path_prefix`."""
    page = ParsedPage(app.page())
    targets = {
        str(attributes.get("href") or attributes.get("src"))
        for tag, attributes in page.tags
        if tag in ("a", "link", "script")
    }
    assert len(targets) > 8
    for target in targets:
        assert not target.startswith(("/", "http"))
        assert app.get(f"/{target}").status_code in (200, 503)


def test_assets_are_cached_for_ever_under_their_version_only(app: AppClient) -> None:
    """Another version is not found: it must not be cached with this content."""
    page = ParsedPage(app.page())
    (script,) = (str(attributes["src"]) for tag, attributes in page.tags if tag == "script")
    headers = app.get(f"/{script}").headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    for wrong in ("assets/000000000000/page.js", script.replace("page.js", "page.html")):
        assert app.get(f"/{wrong}").status_code == 404


def test_requests_at_the_same_time_share_one_page(app: AppClient) -> None:
    """Uptime and timelines are computed once, and again when the status changes."""
    incidents, computations = 1, 7  # uptime, start, use of the GPUs and four timelines
    app.page()
    assert app.history.calls == computations + incidents
    first = app.history.calls
    for _ in range(20):
        app.page()
    assert app.history.calls <= first + 20 * incidents // 2, "a page lasts a second"
    app.set_result(CheckFailure(Reason.TIMED_OUT))
    before = app.history.calls
    assert "No answer in time" in app.page()
    assert app.history.calls == before + computations + incidents


@pytest.mark.parametrize(
    ("result", "language", "title", "heading"),
    [
        (AVAILABLE, "en", "gpu-07: Available", ": Available"),
        (AVAILABLE, "zh", "gpu-07：可用", "：可用"),
        (
            CheckFailure(Reason.TIMED_OUT),
            "en",
            "gpu-07: Unavailable: No answer in time",
            ": Unavailable",
        ),
        (CheckFailure(Reason.TIMED_OUT), "zh", "gpu-07：不可用：应答超时", "：不可用"),
    ],
)
def test_title_and_heading_name_the_node(
    result: CheckResult, language: str, title: str, heading: str
) -> None:
    """First: a tab has little room."""
    page = page_of(result, language, NodeIdentity(node="gpu-07"))
    assert f"<title>{title} · dstack-backend</title>" in page
    assert f'<h1 id="status-title"><bdi>gpu-07</bdi>{heading}</h1>' in page


def test_a_node_without_a_name_has_that_of_the_service() -> None:
    """As with handlers that are mounted in another application."""
    assert "<title>Available · dstack-backend</title>" in AppClient(AVAILABLE).page()


@given(st.text(min_size=1, max_size=40))
def test_no_name_adds_tags(name: str) -> None:
    """A host name may be anything."""
    page = ParsedPage(page_of(AVAILABLE, identity=NodeIdentity(node=name)))
    plain = ParsedPage(page_of(AVAILABLE, identity=NodeIdentity(node="gpu-07")))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
