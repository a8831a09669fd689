"""Missing GPUs and the time in use, in a real browser."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dstack_backend.testing.simulated_dstack import EIGHT_H200
from tests.browser.axe import EACH_LOOK, violations
from tests.browser.conftest import simulated_node
from tests.browser.harness import READ_TIMEOUT, SimulatedNode
from tests.browser.test_page import PHONE

MIN_CONTRAST = 3.0


@pytest.fixture
def degraded(browser: Browser, tmp_path: Path) -> Iterator[SimulatedNode]:
    """Run a node that lost a GPU two hours ago."""
    with simulated_node(browser, tmp_path / "degraded", 2.0) as node:
        node.service.wait_for(None)
        yield node
        assert node.errors == []


def luminance(color: str) -> float:
    """Return the relative luminance of `rgb(...)`, as WCAG defines it."""
    parts = [int(part) / 255 for part in color[4:-1].split(",")]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG defines it."""
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def overflow(page: Page) -> int:
    """Return by how many pixels the page is too wide."""
    root = "document.documentElement"
    return int(page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_states_of_a_strip_differ_in_contrast(node: SimulatedNode, scheme: str) -> None:
    """Also for a reader who sees no colours."""
    node.service.wait_for(None)
    page = node.open(color_scheme=scheme)
    colors = {
        state: str(
            page.locator(f".gpus .{state}[d]").first.evaluate("one => getComputedStyle(one).fill")
        )
        for state in ("in_use", "free", "unknown")
    }
    for one, other in combinations(colors, 2):
        assert contrast(colors[one], colors[other]) >= MIN_CONTRAST, (one, other)


def test_a_degraded_node(degraded: SimulatedNode) -> None:
    """Names the GPU first, with its time in the reader's zone; then the amber verdict."""
    page = degraded.open()
    expect(page).to_have_title("gpu-07: Available, degraded: 1 GPU missing · dstack-backend")
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Available, degraded")
    missing = page.get_by_role("region", name="1 GPU missing")
    expect(missing).to_contain_text("Missing: H200 SXM 141GB in 3b:00.0, last seen")
    expect(missing.locator("time")).not_to_contain_text("UTC")
    assert page.locator("section").first.get_attribute("id") == "missing"
    expect(page.locator(".gpus li.missing")).to_contain_text("3b:00.0")
    expect(page.locator("#incidents").get_by_text("GPU lost")).to_be_visible()
    strips = page.locator(".gpus").get_by_role("img", name="Last 24 hours: ")
    expect(strips).to_have_count(8)


@EACH_LOOK
def test_axe_finds_no_violation_while_a_gpu_is_missing(
    degraded: SimulatedNode, scheme: str, locale: str
) -> None:
    """On a desktop and on a phone, available and unavailable; nothing is too wide."""
    small: dict[str, Any] = {**PHONE, "viewport": {"width": 320, "height": 700}}
    sizes: tuple[dict[str, Any], ...] = ({}, PHONE, small)
    for reason in (None, "connection_refused"):
        if reason:
            degraded.dstack.crash()
            degraded.service.wait_for(reason)
        for size in sizes:
            page = degraded.open(locale=locale, color_scheme=scheme, **size)
            assert violations(page) == []
            assert overflow(page) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_without_gpus(node: SimulatedNode, scheme: str) -> None:
    """The page of a node whose list was always empty."""
    node.dstack.dstack.gpus = ()
    service = node.serve(HISTORY="off")
    service.wait_for(None)
    page = node.open(service=service, color_scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Available, degraded")
    expect(page.get_by_role("heading", name="Note: No GPUs")).to_be_visible()
    assert violations(page) == []


def test_a_loss_and_the_return_appear_without_a_reload(page: Page, node: SimulatedNode) -> None:
    """They are announced to screen readers."""
    page.evaluate("window.same = true")
    announcer, heading = page.get_by_role("status"), page.get_by_role("heading", level=1)
    expect(page.locator("#missing")).to_be_hidden()
    node.dstack.dstack.gpus = EIGHT_H200[1:]
    expect(heading).to_have_text("gpu-07: Available, degraded", timeout=READ_TIMEOUT)
    expect(page.locator("#missing li").first).to_contain_text("19:00.0")
    expect(page.locator("#missing time")).not_to_contain_text("UTC")
    expect(announcer).to_have_text("Available, degraded: 1 GPU missing")
    assert "degraded.svg" in str(page.locator("#icon").get_attribute("href"))
    expect(page.locator("#incidents .days li").first).to_contain_text("GPU lost")
    node.dstack.dstack.gpus = EIGHT_H200
    expect(heading).to_have_text("gpu-07: Available", timeout=READ_TIMEOUT)
    expect(page.locator("#missing")).to_be_hidden()
    expect(announcer).to_have_text("Available")
    expect(page.locator("#incidents .days li").first).to_contain_text("has returned")
    assert page.evaluate("window.same")


def test_a_missing_gpu_is_named_without_javascript(degraded: SimulatedNode) -> None:
    """With the time in UTC."""
    page = degraded.open(java_script_enabled=False)
    expect(page.locator("#missing")).to_contain_text("H200 SXM 141GB in 3b:00.0")
    expect(page.locator("#missing time")).to_contain_text("UTC")
