"""The page's bytes: in each state, in each language, whatever DStack says."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.litestar_http.page.context import view
from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES, translation
from dstack_backend.adapters.litestar_http.page.render import render
from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    Reason,
)
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from tests.unit.adapters.litestar_http.page_harness import BROWSER, PageClient, Parsed


@pytest.fixture
def looker() -> Iterator[PageClient]:
    """One of them."""
    looker = PageClient()
    with looker.client:
        yield looker


def _page_of(result: CheckResult, language: str = "en") -> str:
    """Render a page without a server."""
    return render(view(FakeHealth(result).report(), None, EPOCH, translation(language))).decode()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_name_its_meaning_and_its_cure(reason: Reason, language: str) -> None:
    """In both languages, with the sentence and the code for programs."""
    advice = translation(language).advice[reason]
    page = Parsed(_page_of(CheckFailure(reason), language))
    assert advice.remedies
    assert advice.name in page.text
    for text in (advice.meaning, *advice.remedies):
        assert text.replace("`", "") in page.text
    assert reason.summary in page.text
    assert reason.value in page.text


def test_the_languages_have_the_same_texts() -> None:
    """The same names, the same places to fill in, as many cures, and the same code in them."""
    english, chinese = (translation(language) for language in LANGUAGES)
    assert english.words.keys() == chinese.words.keys()
    for name, word in english.words.items():
        assert word.count("{}") == chinese.words[name].count("{}"), name
    for reason in Reason:
        ours, theirs = english.advice[reason], chinese.advice[reason]
        assert len(ours.remedies) == len(theirs.remedies)
        for one, other in zip(ours.remedies, theirs.remedies, strict=True):
            assert set(one.split("`")[1::2]) == set(other.split("`")[1::2])


def test_an_empty_list_of_gpus_is_available_with_a_cure(looker: PageClient) -> None:
    """DStack is online, and its operator should know why it lists none."""
    looker.health.know(GpuInventory())
    page = Parsed(looker.look())
    assert "Available" in page.text
    assert "DStack is online and lists no GPUs." in page.text
    assert "lspci -nn" in page.text


def test_a_model_that_nobody_knows_is_shown_with_what_dstack_said(looker: PageClient) -> None:
    """The description stands in for it."""
    card = Gpu(slot="1:0", product_id="10de:ffff", description="Odd Corporation", is_free=False)
    looker.health.know(GpuInventory(gpus=(card,)))
    text = Parsed(looker.look()).text
    assert "Unknown model" in text
    assert "Odd Corporation" in text


@given(
    text=st.text(max_size=200) | st.sampled_from(["<script>", "{{ 7 * 7 }}", "&lt;", '"><i>']),
    language=st.sampled_from(LANGUAGES),
)
def test_whatever_dstack_says_the_page_has_the_same_tags(text: str, language: str) -> None:
    """Hostile text stays text: no tag and no attribute comes of it."""
    plain, hostile = (
        _page_of(
            GpuInventory(gpus=(Gpu(slot=each, product_id=each, description=each, is_free=True),)),
            language,
        )
        for each in ("x", f"x{text}")
    )
    assert Parsed(hostile).tags == Parsed(plain).tags


def test_long_texts_and_long_lists_are_cut(looker: PageClient) -> None:
    """8 MB of text and 20,000 GPUs make a page of a usual size."""
    cards = [
        Gpu(slot=f"{number}", product_id="10de:2335", description="x" * 400, is_free=True)
        for number in range(20_000)
    ]
    huge = Gpu(slot="s" * 2_000_000, product_id="p" * 2_000_000, description="", is_free=True)
    looker.health.know(GpuInventory(gpus=(huge, *cards)))
    page = looker.look()
    assert len(page) < 120_000
    assert "and 19937 more" in page


def test_a_past_that_cannot_be_read_leaves_the_present(looker: PageClient) -> None:
    """The page says so, and shows the rest."""
    looker.past.broken = True
    text = Parsed(looker.look()).text
    assert text.count("The history cannot be read now.") == 2
    assert "H200 SXM 141GB" in text
    assert "secret" not in text


def test_unknown_time_is_shown_as_unknown(looker: PageClient) -> None:
    """With a look of its own, and never as up."""
    looker.past.day = (0.0, 0.0, 1.0)
    page = Parsed(looker.look())
    looks = {
        str(attributes["class"]).split()[0]
        for tag, attributes in page.tags
        if tag == "i" and " " in str(attributes["class"])
    }
    assert looks == {"unknown"}
    assert "Not known" in page.text


@pytest.mark.parametrize(
    ("day", "shown"),
    [
        ((0.9999999, 0.0000001, 0.0), "99.99 % up"),
        ((1.0, 0.0, 0.0), "100 % up"),
        ((0.0, 0.5, 0.5), "0 % up"),
        ((0.99999, 0.0, 0.00001), "< 0.01 % unknown"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(
    looker: PageClient, day: tuple[float, float, float], shown: str
) -> None:
    """A second of an outage is no 100 %."""
    looker.past.day = day
    assert shown in Parsed(looker.look()).text


def test_the_latest_changes_say_how_long_each_lasted(looker: PageClient) -> None:
    """Down and unknown look different, and a gap says what it was."""
    text = " ".join(Parsed(looker.look()).text.split())
    assert "Not running dstack-backend was stopped, or its machine was off 1 h" in text
    assert "Unavailable Connection error: connection refused 1 h" in text


@pytest.mark.parametrize(
    ("header", "lang"), [("zh-CN,zh;q=0.9", "zh-CN"), ("zh-TW", "zh-CN"), ("de", "en"), ("", "en")]
)
def test_the_page_speaks_the_browser_s_language(looker: PageClient, header: str, lang: str) -> None:
    """And says which it is."""
    assert f'<html lang="{lang}"' in looker.look(header)


@pytest.mark.parametrize(("query", "lang"), [("zh", "zh-CN"), ("en", "en"), ("fr", "en")])
def test_a_link_switches_the_language(looker: PageClient, query: str, lang: str) -> None:
    """Whatever the browser says; a language that there is not changes nothing."""
    response = looker.client.get(f"/?lang={query}", headers=BROWSER)
    assert f'<html lang="{lang}"' in response.text
    assert response.headers["content-language"] == query.replace("fr", "en")


def test_the_policy_lets_nothing_in_but_our_own_files(looker: PageClient) -> None:
    """No inline script or style exists, every file is ours, and nobody may frame the page."""
    response = looker.client.get("/", headers=BROWSER)
    policy = response.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "frame-ancestors 'none'" in policy
    assert not {"unsafe", "*", "http", "data:"} & set(" ".join(policy).replace("-", " ").split())
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert {"Accept", "Accept-Language"} <= set(response.headers["vary"].split(", "))
    for tag, attributes in Parsed(response.text).tags:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_each_link_and_each_file_leads_somewhere_here(looker: PageClient) -> None:
    """They are relative, so that the page works below a path as well."""
    page = Parsed(looker.look())
    targets = {
        str(attributes.get("href") or attributes.get("src"))
        for tag, attributes in page.tags
        if tag in ("a", "link", "script")
    }
    assert len(targets) > 8
    for target in targets:
        assert not target.startswith(("/", "http"))
        assert looker.client.get(f"/{target}").status_code in (200, 503)


def test_a_file_is_cached_for_ever_under_its_version_only(looker: PageClient) -> None:
    """Another version's address is not there: it must never be remembered with our content."""
    page = Parsed(looker.look())
    (script,) = (str(attributes["src"]) for tag, attributes in page.tags if tag == "script")
    headers = looker.client.get(f"/{script}").headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    for wrong in ("assets/000000000000/page.js", script.replace("page.js", "page.html")):
        assert looker.client.get(f"/{wrong}").status_code == 404


def test_many_who_look_at_once_share_one_page(looker: PageClient) -> None:
    """The past is read once for all of them, and anew when something has changed."""
    for _ in range(20):
        looker.look()
    assert looker.past.asked == 3  # the three timelines
    looker.health.know(CheckFailure(Reason.TIMED_OUT))
    assert "No answer in time" in looker.look()
    assert looker.past.asked == 6


def test_programs_go_on_getting_json(looker: PageClient) -> None:
    """As before, with a word to caches."""
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        response = looker.client.get("/", headers=headers)
        body: Any = response.json()
        assert body["name"] == "dstack-backend"
        assert {"Accept", "Accept-Language"} <= set(response.headers["vary"].split(", "))
