"""The page in a real browser."""

from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from dstack_backend.domain import Gpu
from dstack_backend.testing.simulated_dstack import EIGHT_H200
from tests.browser.axe import EACH_LOOK, violations
from tests.browser.harness import READ_TIMEOUT, SimulatedNode

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}

HOSTILE = (
    '<img src=x onerror="document.title=1"><script>document.title=2</script>{{ 7*7 }} \u202egnp'
)


def test_an_available_node(page: Page) -> None:
    """Shows the status, the GPUs, the last check, timelines, incidents, DStack's version."""
    expect(page).to_have_title("gpu-07: Available · dstack-backend")
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Available")
    gpus = page.get_by_role("region", name="GPUs").get_by_role("listitem")
    expect(gpus).to_have_count(8)
    expect(gpus.first).to_contain_text("H200 SXM 141GB")
    expect(gpus.first).to_contain_text("19:00.0")
    expect(gpus.first).to_contain_text("In use")
    expect(page.get_by_text("8 in total, 5 free, 3 in use")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("v0.5.11")
    timelines = page.get_by_role("slider")
    expect(timelines.first).to_have_accessible_name("Last 24 hours 99.19 % up 4.86 % unknown")
    assert page.locator(".line").evaluate_all("all => all.map(one => one.children.length)") == [
        48,
        84,
        60,
        90,
    ]
    expect(page.locator("#incidents .days li")).to_have_count(12)


def test_an_unavailable_node(node: SimulatedNode) -> None:
    """Shows the reason with its code and message, and what to do."""
    node.dstack.crash()
    node.service.wait_for("connection_refused")
    page = node.open()
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Unavailable")
    expect(page.get_by_role("heading", name="Why: Connection refused")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("Connection error: connection refused")
    expect(page.locator("#status")).to_contain_text("connection_refused")
    expect(page.locator("#status li").first).to_contain_text("Is DStack running?")
    expect(page.get_by_text("Last known, as of")).to_be_visible()
    expect(page.locator(".gpus li")).to_have_count(8)
    expect(page.locator("#missing")).to_be_hidden()


def test_hostile_text_is_escaped(node: SimulatedNode) -> None:
    """Markup, templates and direction marks from DStack are shown as text."""
    gpu = Gpu(slot="~<b>", product_id=HOSTILE, description="x" * 5000 + HOSTILE, is_free=True)
    node.dstack.dstack.gpus = [gpu, *EIGHT_H200]
    node.service.wait_for(None)
    page = node.open(viewport={"width": 390, "height": 844})
    card = page.locator(".gpus li").last
    expect(card).to_contain_text("<script>document.title=2</script>{{ 7*7 }}")
    assert page.locator(".gpus img, .gpus script").count() == 0
    expect(page).to_have_title("gpu-07: Available · dstack-backend")
    assert _overflow(page) == 0


def test_a_printed_page_has_timelines_and_dark_text(node: SimulatedNode) -> None:
    """Browsers omit backgrounds, and paper is white although the screen is dark."""
    page = node.open(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    style = "one => [getComputedStyle(one).printColorAdjust, getComputedStyle(one).color]"
    assert page.locator(".line i").first.evaluate(style)[0] == "exact"
    assert page.locator("#incidents h2").evaluate(style)[1] == "rgb(23, 27, 34)"


@pytest.mark.parametrize(
    ("locale", "lang", "heading"),
    [
        ("en-GB", "en", "gpu-07: Available"),
        ("zh-CN", "zh-CN", "gpu-07：可用"),
        ("zh-TW", "zh-CN", "gpu-07：可用"),
    ],
)
def test_the_language_follows_the_browser(
    node: SimulatedNode, locale: str, lang: str, heading: str
) -> None:
    """English or Chinese; the page names its language."""
    node.service.wait_for(None)
    page = node.open(locale=locale)
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    assert page.locator("html").get_attribute("lang") == lang


def test_the_language_can_be_switched(page: Page, node: SimulatedNode) -> None:
    """By a link; later updates have that language too."""
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07：可用")
    node.dstack.crash()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "gpu-07：不可用", timeout=READ_TIMEOUT
    )
    expect(page.get_by_role("heading", name="连接被拒绝")).to_be_visible()


def test_the_page_works_without_javascript(node: SimulatedNode) -> None:
    """Status, advice and history; a note says that it does not update itself."""
    node.dstack.crash()
    node.service.wait_for("connection_refused")
    page = node.open(java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Unavailable")
    expect(page.locator("#status li")).to_have_count(3)
    expect(page.locator("#incidents .days li")).to_have_count(12)
    expect(page.locator("#incidents .day").first).to_contain_text("UTC")
    expect(page.locator("noscript p")).to_be_visible()


def test_times_are_in_the_reader_s_zone(page: Page) -> None:
    """UTC is in the tooltip."""
    shown = page.locator("#incidents time").first
    expect(shown).not_to_contain_text("UTC")
    assert str(shown.get_attribute("title")).endswith("UTC")
    hours = shown.evaluate("one => new Date(one.dateTime).getHours()")
    expect(shown).to_contain_text(f"{hours:02d}:")


@pytest.mark.parametrize("reason", [None, "connection_refused"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_phone_does_not_scroll_sideways(
    node: SimulatedNode, reason: str | None, locale: str
) -> None:
    """390 and 320 pixels are enough."""
    if reason:
        node.dstack.crash()
    node.service.wait_for(reason)
    assert _overflow(node.open(locale=locale, **PHONE)) == 0
    small: dict[str, Any] = {**PHONE, "viewport": {"width": 320, "height": 700}}
    assert _overflow(node.open(locale=locale, **small)) == 0


def test_a_long_list_of_gpus_is_shortened(node: SimulatedNode) -> None:
    """Of 20,000 it shows 64 and the number of the others."""
    many = [replace(EIGHT_H200[0], slot=f"{number:05x}:00.0") for number in range(20_000)]
    node.dstack.dstack.gpus = many
    # Without a history: the eight GPUs in it would become missing a second later.
    service = node.serve(CHECK_INTERVAL="5", CHECK_TIMEOUT="30", HISTORY="off")
    service.wait_for(None, 30)
    page = node.open(service=service)
    expect(page.locator(".gpus li")).to_have_count(64)
    expect(page.get_by_text("and 19936 more")).to_be_visible()


@EACH_LOOK
@pytest.mark.parametrize("reason", [None, "connection_refused"])
def test_axe_finds_no_violation(
    node: SimulatedNode, scheme: str, reason: str | None, locale: str
) -> None:
    """On a desktop and on a phone."""
    if reason:
        node.dstack.crash()
    node.service.wait_for(reason)
    sizes: tuple[dict[str, Any], ...] = ({}, PHONE)
    for size in sizes:
        assert violations(node.open(locale=locale, color_scheme=scheme, **size)) == []


def test_axe_finds_no_violation_in_the_notice_of_a_lost_connection(page: Page) -> None:
    """It has enough contrast."""
    page.locator("#lost").evaluate("one => { one.textContent = 'lost'; one.hidden = false; }")
    assert violations(page) == []


def test_the_keyboard_reaches_every_link(page: Page) -> None:
    """And every timeline, in the order of reading, with a visible focus."""
    targets = page.locator("a, .line, summary")
    seen: list[str] = []
    for _ in range(targets.count()):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        seen.append(str(page.evaluate("document.activeElement.outerHTML.slice(0, 60)")))
    expected = targets.evaluate_all("all => all.map(one => one.outerHTML.slice(0, 60))")
    assert seen == expected


def test_reduced_motion_is_respected(node: SimulatedNode) -> None:
    """Without transitions."""
    node.service.wait_for(None)
    page = node.open(reduced_motion="reduce")
    moving = "all => all.filter(one => getComputedStyle(one).transitionDuration !== '0s').length"
    assert page.locator("*").evaluate_all(moving) == 0


def _overflow(page: Page) -> int:
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))
