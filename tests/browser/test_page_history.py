"""Timelines and incidents in a real browser."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.harness import READ_TIMEOUT, SimulatedNode

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
FIRST = "#line-24h"
READING = "figure:has(#line-24h) .reading"
OUTAGE = f"{FIRST} .out"


def test_a_bar_is_read_with_a_finger(node: SimulatedNode) -> None:
    """A tap shows its times and its states; a tap elsewhere hides them."""
    node.service.wait_for(None)
    page = node.open(**PHONE)
    reading = page.locator(READING)
    expect(reading).to_be_hidden()
    page.locator(OUTAGE).first.tap()
    expect(reading).to_contain_text(re.compile(r"\d\d:\d\d . .*\d\d:\d\d · down 11 min, up 19 min"))
    page.locator("#history h2").tap()
    expect(reading).to_be_hidden()


def test_bars_are_read_with_the_keyboard(page: Page) -> None:
    """With the arrow keys; screen readers get the same text."""
    line, reading = page.locator(FIRST), page.locator(READING)
    line.focus()
    page.keyboard.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "1")
    expect(reading).to_contain_text("up 30 min")
    page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "2")
    text = reading.inner_text()
    expect(line).to_have_attribute("aria-valuetext", text)
    expect(line.locator(".current")).to_have_count(1)
    page.keyboard.press("End")
    expect(line).to_have_attribute("aria-valuenow", "48")
    page.keyboard.press("Escape")
    expect(reading).to_be_hidden()


def test_an_update_keeps_the_bar_that_is_read(page: Page, node: SimulatedNode) -> None:
    """And the focus, and the list of down time that was opened."""
    page.locator("#outage-bars summary").click()
    page.locator(FIRST).focus()
    page.keyboard.press("Home")
    node.dstack.crash()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "gpu-07: Unavailable", timeout=READ_TIMEOUT
    )
    expect(page.locator(READING)).to_contain_text("up")
    assert page.evaluate("document.activeElement.id") == "line-24h"
    expect(page.locator("#outage-bars li").first).to_be_visible()


def test_down_time_is_readable_without_javascript(node: SimulatedNode) -> None:
    """In a list that opens; the timelines have a text each."""
    node.service.wait_for(None)
    page = node.open(java_script_enabled=False)
    expect(page.get_by_role("img", name="Last 7 days 99")).to_be_visible()
    page.locator("#outage-bars summary").click()
    expect(page.locator("#outage-bars li").first).to_contain_text("UTC: down 11 min, up 19 min")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_differ_in_shape(node: SimulatedNode, scheme: str) -> None:
    """Bars with an outage are higher than the others: a reader without colours sees them."""
    node.service.wait_for(None)
    page = node.open(color_scheme=scheme)
    height = "all => all.map(one => one.getBoundingClientRect().height)"
    calm = page.locator(f"{FIRST} span:not(.out)").evaluate_all(height)
    high = page.locator(OUTAGE).evaluate_all(height)
    assert min(high) > 1.5 * max(calm)
    down, up = (page.locator(f"{OUTAGE} .{state}").first for state in ("down", "up"))
    assert down.bounding_box()["y"] < up.bounding_box()["y"]  # type: ignore[index]  # it is visible


def test_a_fresh_installation_says_since_when_it_is_watching(
    node: SimulatedNode, tmp_path: Path
) -> None:
    """It shows one timeline, without unknown time."""
    service = node.serve(DATA_DIR=str(tmp_path / "fresh"))
    service.wait_for(None)
    page = node.open(service=service)
    expect(page.locator("#history figcaption")).to_have_count(1)
    expect(page.locator("#history figcaption")).to_contain_text("Watching since")
    expect(page.locator("#history figcaption")).to_contain_text("100 % up")
    expect(page.locator("#history figcaption")).not_to_contain_text("unknown")
    expect(page.locator("#incidents")).to_contain_text("No incidents recorded.")
    assert violations(page) == []


def test_older_incidents_are_on_a_page(page: Page) -> None:
    """In the reader's zone, without a violation of axe; a link leads back."""
    expect(page.locator("#incidents .days li")).to_have_count(12)
    page.get_by_role("link", name="Older incidents").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Incidents")
    expect(page.locator(".days li")).to_have_count(2)
    expect(page.locator(".days")).not_to_contain_text("UTC")
    assert violations(page) == []
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07：事件记录")
    expect(page.locator(".days li")).to_have_count(2)
    page.get_by_role("link", name="返回当前状态").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07：可用")


def test_days_are_those_of_the_reader(node: SimulatedNode) -> None:
    """Each incident is below the day that its time has in the reader's zone."""
    node.service.wait_for(None)
    page = node.open("/incidents", timezone_id="Pacific/Auckland")
    days = """all => all.map(one => [
        one.closest("ul").previousElementSibling.textContent,
        new Intl.DateTimeFormat("en-GB", {
            weekday: "short", year: "numeric", month: "short", day: "numeric",
        }).format(new Date(one.querySelector("time").dateTime)),
    ])"""
    pairs = page.locator(".days li").evaluate_all(days)
    assert len(pairs) > 12
    assert [shown for shown, _ in pairs] == [expected for _, expected in pairs]
    assert page.locator(".day").count() == len({shown for shown, _ in pairs})


@pytest.mark.parametrize("locale", ["zh-CN", "zh-TW", "en-US"])
def test_chinese_times_have_one_form(node: SimulatedNode, locale: str) -> None:
    """Whatever languages the browser names."""
    node.service.wait_for(None)
    page = node.open("/?lang=zh", locale=locale)
    year = datetime.now(UTC).year
    expect(page.locator("#status time").first).to_have_text(
        re.compile(rf"^{year}年\d+月\d+日 \d\d:\d\d:\d\d$")
    )
    expect(page.locator("footer time")).to_have_text(
        re.compile(rf"^{year}年\d+月\d+日 \d\d:\d\d:\d\d GMT\+1$")
    )


def test_the_hash_of_a_version_is_short(page: Page) -> None:
    """On one line; the whole version is in its title."""
    version = page.locator(".version")
    expect(version).to_have_text(re.compile(r"^v0\.5\.11 \(git:[0-9a-f]{10}…\)$"))
    assert len(str(version.get_attribute("title"))) > len(version.inner_text())
