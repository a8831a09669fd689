"""A node of 64 GPUs, the chart of the durations, and the badge, in a real browser."""

from itertools import combinations
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from dstack_backend.domain import Gpu
from dstack_backend.testing.simulated_dstack import EIGHT_H200
from tests.browser.axe import EACH_LOOK, violations
from tests.browser.harness import READ_TIMEOUT, SimulatedNode
from tests.browser.test_page import PHONE
from tests.browser.test_page_gpus import MIN_CONTRAST, contrast, overflow

MODELS = ("10de:2335", "10de:2901", "10de:ffff")
MANY = [
    Gpu(
        slot=f"{number:02x}:00.0",
        product_id=MODELS[number // 24],
        description="NVIDIA Corporation",
        is_free=number % 3 == 0,
    )
    for number in range(64)
]


@pytest.fixture
def dense(node: SimulatedNode) -> SimulatedNode:
    """Run a node of 64 GPUs of three models that has just lost one."""
    node.dstack.dstack.gpus = MANY
    node.service = node.serve(HISTORY="off")
    node.service.wait_for(None)
    node.dstack.dstack.gpus = MANY[1:]
    page = node.open()
    expect(page.locator(".gpus li.missing")).to_have_count(1, timeout=READ_TIMEOUT)
    return node


def height(page: Page) -> int:
    """Return the height of the section of the GPUs."""
    return int(page.evaluate("document.getElementById('inventory').offsetHeight"))


def test_64_gpus_fit_on_a_screen(dense: SimulatedNode) -> None:
    """In groups; on a phone they take less than three screens."""
    page = dense.open(viewport={"width": 1280, "height": 800})
    expect(page.locator(".dense")).to_have_count(3)
    expect(page.locator(".dense li")).to_have_count(64)
    expect(page.get_by_role("heading", name="H200 SXM 141GB")).to_contain_text("1 missing")
    assert height(page) < 900
    assert height(dense.open(**PHONE)) < 3 * 844


@EACH_LOOK
def test_axe_finds_no_violation_with_64_gpus(
    dense: SimulatedNode, scheme: str, locale: str
) -> None:
    """With all details open, also while unavailable; nothing is too wide."""
    small: dict[str, Any] = {**PHONE, "viewport": {"width": 320, "height": 700}}
    sizes: tuple[dict[str, Any], ...] = ({}, small)
    for reason in (None, "connection_refused"):
        if reason:
            dense.dstack.crash()
            dense.service.wait_for(reason)
        for size in sizes:
            page = dense.open(locale=locale, color_scheme=scheme, **size)
            page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
            assert violations(page) == []
            assert overflow(page) == 0


def test_details_open_with_the_keyboard_and_stay_open(dense: SimulatedNode) -> None:
    """While the page updates itself."""
    page = dense.open()
    page.locator("#gpu-table").focus()
    page.keyboard.press("Enter")
    row = page.get_by_role("row", name="01:00.0")
    expect(row).to_contain_text("In use for")
    dense.dstack.dstack.gpus = [replace(MANY[1], is_free=True), *MANY[2:]]
    expect(row).to_contain_text("Free for", timeout=READ_TIMEOUT)
    expect(row).to_be_visible()


def test_cards_of_a_row_are_aligned(node: SimulatedNode) -> None:
    """Whatever they contain: names, states and strips are at the same heights."""
    unknown = Gpu(
        slot=EIGHT_H200[2].slot,
        product_id="10de:ffff",
        description="NVIDIA Corporation " + "of a kind that has a long name " * 3,
        is_free=True,
    )
    node.dstack.dstack.gpus = [*EIGHT_H200[:2], unknown, *EIGHT_H200[3:]]
    node.service.wait_for(None)
    page = node.open(viewport={"width": 1280, "height": 800})
    top = "all => all.slice(0, 4).map(one => one.getBoundingClientRect().top)"
    for part in (".model", ".use", ".since", ".strip"):
        tops = page.locator(f".gpus li {part}").evaluate_all(top)
        assert max(tops) - min(tops) < 1, part


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chart_of_durations_has_contrast(node: SimulatedNode, scheme: str) -> None:
    """Each mark against the card. Median and longest differ in contrast, failed ones in shape."""
    node.service.wait_for(None)
    page = node.open(color_scheme=scheme)
    fill = "one => getComputedStyle(one).fill"
    marks = {
        name: str(page.locator(f".legend .{name}").first.evaluate(fill))
        for name in ("median", "longest", "failed")
    }
    ground = str(page.locator("#checks").evaluate("one => getComputedStyle(one).backgroundColor"))
    for name, color in marks.items():
        assert contrast(color, ground) >= MIN_CONTRAST, name
    pairs = [pair for pair in combinations(marks, 2) if "failed" not in pair]
    for one, other in pairs:
        assert contrast(marks[one], marks[other]) >= MIN_CONTRAST, (one, other)


def test_the_durations_of_checks_are_shown(page: Page) -> None:
    """As an image with a text, and as a table with times in the reader's zone."""
    expect(page.get_by_role("img", name="Duration, last 24 hours: median")).to_be_visible()
    page.locator("#checks-table").click()
    row = page.locator("#checks tbody tr").first
    expect(row).to_contain_text(" ms")
    expect(row.locator("time")).not_to_contain_text("UTC")


def test_the_page_shows_when_health_was_asked(page: Page, node: SimulatedNode) -> None:
    """The page itself does not count."""
    facts = page.locator("#status .facts")
    expect(facts).to_contain_text("never since the start")
    node.service.ask("/health")
    expect(facts).to_contain_text("by 1 client", timeout=READ_TIMEOUT)
    assert node.service.ask("/status").json()["health_requests"]["count"] == 1


def test_the_texts_of_a_badge_are_inside_of_it(node: SimulatedNode) -> None:
    """In Chinese, too, which has wider characters."""
    node.service.wait_for(None)
    for query in ("", "?lang=zh", "?window=30d", "?window=30d&lang=zh"):
        page = node.open(f"/badge.svg{query}")
        boxes = page.locator("rect, text").evaluate_all(
            "all => all.map(one => one.getBBox()).map(box => [box.x, box.x + box.width])"
        )
        (start, end), label, message = boxes
        assert start < label[0] < label[1] < message[0] < message[1] < end, query
    node.errors.clear()  # a browser looks for an icon
