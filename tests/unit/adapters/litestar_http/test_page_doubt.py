"""The page where something is in doubt: checks that fail, a past that is not known."""

from collections.abc import Iterator

import pytest

from dstack_backend.adapters.litestar_http.page.context import view
from dstack_backend.adapters.litestar_http.page.i18n import LANGUAGES, translation
from dstack_backend.adapters.litestar_http.page.render import render
from dstack_backend.domain import (
    Check,
    CheckFailure,
    CheckPolicy,
    CheckResult,
    MonitorState,
    Reason,
    Timestamp,
    observe,
    report,
)
from dstack_backend.domain.history import NOT_RUNNING, SET_BACK, HistoryEntry
from dstack_backend.testing.fakes import EPOCH, FakeHealth
from tests.unit.adapters.litestar_http.page_harness import GOOD, PageClient, Parsed


@pytest.fixture
def looker() -> Iterator[PageClient]:
    """One of them."""
    looker = PageClient()
    with looker.client:
        yield looker


@pytest.mark.parametrize("language", LANGUAGES)
def test_checks_that_fail_behind_a_threshold_are_told_with_their_cure(language: str) -> None:
    """The node counts as available, but nobody may read that DStack answers."""
    policy, start = CheckPolicy(failure_threshold=9), Timestamp(0.0, EPOCH)
    state = MonitorState(since=start)
    results: tuple[CheckResult, ...] = (GOOD, CheckFailure(Reason.UNAUTHORIZED))
    for second, result in enumerate(results):
        check = Check(result=result, started=float(second), finished=start + second)
        state = observe(state, check, policy)
    texts = translation(language)
    page = Parsed(render(view(report(state, 1.0, policy), None, EPOCH, texts)).decode())
    assert texts.words["available_failing"] in page.text
    assert texts.words["available_text"].format("GpuSource") not in page.text
    assert "HTTP error: 401 Unauthorized" in page.text
    assert texts.advice[Reason.UNAUTHORIZED].remedies[0].replace("`", "") in page.text
    assert texts.words["note_named"].format(texts.advice[Reason.UNAUTHORIZED].name) in page.text


def test_of_another_source_nothing_is_said_that_only_holds_of_dstack() -> None:
    """Its name stands in the place of DStack's; what to do is the other backend's business."""
    texts = translation("en")
    failed = FakeHealth(CheckFailure(Reason.TIMED_OUT)).report()
    page = Parsed(render(view(failed, None, EPOCH, texts, "nvidia-smi")).decode())
    assert "Why: " + texts.advice[Reason.TIMED_OUT].name in page.text
    assert "Connection error: no answer in time" in page.text
    assert texts.words["what_to_do"] not in page.text
    assert "GpuSource" not in page.text
    good = Parsed(render(view(FakeHealth(GOOD).report(), None, EPOCH, texts, "sysfs")).decode())
    assert "sysfs answers, and the network is told" in good.text


@pytest.mark.parametrize(
    ("day", "told"), [((0.01, 0.0, 0.99), "99 % unknown"), ((0.75, 0.0, 0.25), "100 % up")]
)
def test_what_is_mostly_unknown_is_not_shown_as_up(
    looker: PageClient, day: tuple[float, float, float], told: str
) -> None:
    """A service of an hour says nothing of 90 days."""
    looker.past.day = day
    assert f"<strong>{told}</strong>" in looker.look()


@pytest.mark.parametrize(
    ("message", "badge"), [(NOT_RUNNING, "Not running"), (SET_BACK, "Unknown")]
)
def test_a_time_of_which_nothing_is_known_says_why(
    looker: PageClient, message: str, badge: str
) -> None:
    """Only of a service that did not run it says so."""
    gap = HistoryEntry(at=EPOCH, before=None, after=None, reason=None, message=message, number=1)
    looker.past.entries = [gap]
    page = looker.look()
    assert f'<span class="badge unknown">{badge}</span>' in page
    assert (SET_BACK in page) == (message == SET_BACK)
