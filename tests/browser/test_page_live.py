"""Updates of the open page."""

from msgspec.structs import replace
from playwright.sync_api import Page, expect

from dstack_backend.testing.simulated_dstack import EIGHT_H200
from tests.browser.harness import READ_TIMEOUT, SimulatedNode
from tests.contract.process.service import wait_until


def test_an_outage_and_the_recovery_appear_without_a_reload(
    page: Page, node: SimulatedNode
) -> None:
    """They are announced to screen readers politely and once."""
    page.evaluate("window.same = true")
    announcer = page.get_by_role("status")
    expect(announcer).to_be_empty()
    node.dstack.crash()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "gpu-07: Unavailable", timeout=READ_TIMEOUT
    )
    expect(page).to_have_title("gpu-07: Unavailable: Connection refused · dstack-backend")
    expect(announcer).to_have_text("Unavailable: Connection refused")
    # A check that was under way is cut first: then both reasons are in the incident.
    incident = page.locator("#incidents .days li").first
    expect(incident).to_contain_text("connection refused", ignore_case=True)
    assert "unavailable.svg" in str(page.locator("#icon").get_attribute("href"))
    node.dstack.revive()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "gpu-07: Available", timeout=READ_TIMEOUT
    )
    expect(announcer).to_have_text("Available")
    assert page.evaluate("window.same")


def test_an_update_keeps_the_selection(page: Page, node: SimulatedNode) -> None:
    """A command that is being copied stays selected."""
    selected = """() => {
        getSelection().selectAllChildren(document.querySelector(".gpus .model"));
        return String(getSelection());
    }"""
    assert page.evaluate(selected) == "H200 SXM 141GB"
    age = page.locator("#status [data-age]").last
    before = age.get_attribute("data-age")
    node.dstack.dstack.gpus = [*EIGHT_H200[:7], replace(EIGHT_H200[7], is_free=False)]
    expect(page.locator(".gpus li").last).to_contain_text("In use", timeout=READ_TIMEOUT)
    assert age.get_attribute("data-age") != before
    assert page.evaluate("String(getSelection())") == "H200 SXM 141GB"


def test_the_page_updates_after_a_suspension(page: Page, node: SimulatedNode) -> None:
    """A stream may be dead without an error."""
    node.service.wait_for(None)
    with page.expect_request("**/events"):
        page.evaluate("const now = Date.now; Date.now = () => now() + 60000")
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Available")


def test_an_allocated_gpu_appears_without_a_reload(page: Page, node: SimulatedNode) -> None:
    """At the next check."""
    first = page.locator(".gpus li").first
    expect(first).to_contain_text("In use")
    node.dstack.dstack.gpus = [replace(EIGHT_H200[0], is_free=True), *EIGHT_H200[1:]]
    expect(first).to_contain_text("Free", timeout=READ_TIMEOUT)


def test_a_restart_of_the_service_is_shown_and_survived(node: SimulatedNode) -> None:
    """The page shows that the connection is lost, then continues by itself."""
    first = node.service
    first.wait_for(None)
    page = node.open()
    page.evaluate("window.same = true")
    lost = page.locator("#lost")
    expect(lost).to_be_hidden()
    assert first.end()[0] == 0
    expect(lost).to_be_visible(timeout=READ_TIMEOUT)
    expect(page.get_by_role("status")).to_contain_text("Connection to dstack-backend lost")
    node.dstack.dstack.gpus = EIGHT_H200[:2]
    node.restart(first)
    expect(lost).to_be_hidden(timeout=READ_TIMEOUT)
    listed = page.locator(".gpus li:not(.missing)")
    expect(listed).to_have_count(2, timeout=READ_TIMEOUT)
    node.dstack.dstack.gpus = EIGHT_H200[:3]  # the stream is open again
    expect(listed).to_have_count(3, timeout=READ_TIMEOUT)
    assert page.evaluate("window.same")


def test_an_upgrade_reloads_the_page(page: Page) -> None:
    """A script must not update a page of another version."""
    page.evaluate("window.same = true")
    with page.expect_event("load"):
        page.evaluate("document.documentElement.dataset.version = 'older'")
    assert not page.evaluate("window.same")
    expect(page.get_by_role("heading", level=1)).to_have_text("gpu-07: Available")


def test_an_update_keeps_focus_and_scroll_position(page: Page, node: SimulatedNode) -> None:
    """The focused link stays focused."""
    link = page.locator("#older")
    link.focus()
    place = page.evaluate("scrollY")
    assert place > 0
    before = page.locator("#incidents .days li").first.inner_text()
    node.dstack.dstack.gpus = ()
    node.dstack.crash()
    wait_until(lambda: page.locator("#incidents .days li").first.inner_text() != before, 15)
    assert page.evaluate("document.activeElement.id") == "older"
    assert page.evaluate("scrollY") > 0


def test_a_hidden_page_closes_its_connection(page: Page) -> None:
    """A browser has only six for each address. A visible page reconnects."""
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page.expect_event("requestfailed", lambda asked: asked.url.endswith("/events")):
        page.evaluate(hide, arg=True)
    with page.expect_request("**/events"):
        page.evaluate(hide, arg=False)
