"""The page while it is looked at: it keeps itself fresh, and disturbs nobody by it."""

from msgspec.structs import replace
from playwright.sync_api import Page, expect

from dstack_backend.testing.simulated_dstack import EIGHT_H200
from tests.browser.harness import READ_TIMEOUT, SimulatedNode
from tests.contract.process.service import wait_until


def test_a_crash_shows_by_itself_and_so_does_the_recovery(
    page: Page, staged: SimulatedNode
) -> None:
    """Without a reload; a screen reader is told, politely and once."""
    page.evaluate("window.same = true")
    said = page.get_by_role("status")
    expect(said).to_be_empty()
    staged.dstack.crash()
    expect(page.get_by_role("heading", level=1)).to_have_text("Unavailable", timeout=READ_TIMEOUT)
    expect(page).to_have_title("Unavailable: Connection refused · dstack-backend")
    expect(said).to_have_text("Unavailable: Connection refused")
    expect(page.locator("#changes tbody tr").first).to_contain_text("connection refused")
    assert "unavailable.svg" in str(page.locator("#icon").get_attribute("href"))
    staged.dstack.revive()
    expect(page.get_by_role("heading", level=1)).to_have_text("Available", timeout=READ_TIMEOUT)
    expect(said).to_have_text("Available")
    assert page.evaluate("window.same")


def test_what_a_reader_has_selected_stays_selected(page: Page, staged: SimulatedNode) -> None:
    """Checks come and go; a command that is being copied is not taken away."""
    selected = """() => {
        getSelection().selectAllChildren(document.querySelector(".gpus .model"));
        return String(getSelection());
    }"""
    assert page.evaluate(selected) == "H200 SXM 141GB"
    age = page.locator("#status [data-age]").last
    before = age.get_attribute("data-age")
    staged.dstack.dstack.gpus = [*EIGHT_H200[:7], replace(EIGHT_H200[7], is_free=False)]
    expect(page.locator(".gpus li").last).to_contain_text("In use", timeout=READ_TIMEOUT)
    assert age.get_attribute("data-age") != before
    assert page.evaluate("String(getSelection())") == "H200 SXM 141GB"


def test_a_page_looks_anew_when_its_machine_has_slept(page: Page, staged: SimulatedNode) -> None:
    """A stream can be dead without a word."""
    staged.service.wait_for(None)
    with page.expect_request("**/events"):
        page.evaluate("const now = Date.now; Date.now = () => now() + 60000")
    expect(page.get_by_role("heading", level=1)).to_have_text("Available")


def test_a_gpu_that_changes_hands_shows_by_itself(page: Page, staged: SimulatedNode) -> None:
    """At the next check."""
    first = page.locator(".gpus li").first
    expect(first).to_contain_text("In use")
    staged.dstack.dstack.gpus = [replace(EIGHT_H200[0], is_free=True), *EIGHT_H200[1:]]
    expect(first).to_contain_text("Free", timeout=READ_TIMEOUT)


def test_a_restart_of_the_service_is_told_and_overcome(staged: SimulatedNode) -> None:
    """What is shown is marked as old while nobody answers; then the page goes on by itself."""
    first = staged.service
    first.wait_for(None)
    page = staged.open()
    page.evaluate("window.same = true")
    lost = page.locator("#lost")
    expect(lost).to_be_hidden()
    assert first.end()[0] == 0
    expect(lost).to_be_visible(timeout=READ_TIMEOUT)
    expect(page.get_by_role("status")).to_contain_text("Connection to dstack-backend lost")
    staged.dstack.dstack.gpus = EIGHT_H200[:2]
    staged.start_again(first)
    expect(lost).to_be_hidden(timeout=READ_TIMEOUT)
    expect(page.locator(".gpus li")).to_have_count(2, timeout=READ_TIMEOUT)
    staged.dstack.dstack.gpus = EIGHT_H200[:3]  # and it goes on listening
    expect(page.locator(".gpus li")).to_have_count(3, timeout=READ_TIMEOUT)
    assert page.evaluate("window.same")


def test_an_upgrade_of_the_page_loads_it_anew(page: Page) -> None:
    """A script of another version must not put together what does not fit."""
    page.evaluate("window.same = true")
    with page.expect_event("load"):
        page.evaluate("document.documentElement.dataset.version = 'older'")
    assert not page.evaluate("window.same")
    expect(page.get_by_role("heading", level=1)).to_have_text("Available")


def test_an_update_keeps_focus_and_place(page: Page, staged: SimulatedNode) -> None:
    """A reader is not thrown back to the top, and the focused link is still the focused one."""
    link = page.locator("#older")
    link.focus()
    place = page.evaluate("scrollY")
    assert place > 0
    before = page.locator("#changes tbody tr").first.inner_text()
    staged.dstack.dstack.gpus = ()
    staged.dstack.crash()
    wait_until(lambda: page.locator("#changes tbody tr").first.inner_text() != before, 15)
    assert page.evaluate("document.activeElement.id") == "older"
    assert page.evaluate("scrollY") > 0


def test_a_hidden_page_gives_its_connection_back(page: Page) -> None:
    """A browser has but six for each address; the page listens again when it is looked at."""
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page.expect_event("requestfailed", lambda asked: asked.url.endswith("/events")):
        page.evaluate(hide, arg=True)
    with page.expect_request("**/events"):
        page.evaluate(hide, arg=False)
