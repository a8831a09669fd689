"""Renders a page without a server."""

from collections.abc import Sequence

from dstack_backend.adapters.litestar_http.page.context import PageHistory, page_context
from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.adapters.litestar_http.page.render import render
from dstack_backend.domain import CheckResult, HistoryEntry, NodeIdentity, StatusReport
from dstack_backend.testing.fakes import EPOCH, FakeHealth

__all__ = ["page_of", "page_of_report"]


def page_of(
    result: CheckResult | None,
    language: str = "en",
    identity: NodeIdentity | None = None,
    entries: Sequence[HistoryEntry] = (),
) -> str:
    """Return the page after a check with this result."""
    return page_of_report(FakeHealth(result).report(), language, identity, entries)


def page_of_report(
    report: StatusReport,
    language: str = "en",
    identity: NodeIdentity | None = None,
    entries: Sequence[HistoryEntry] = (),
) -> str:
    """Return the page of a report."""
    identity = identity or NodeIdentity()
    history = PageHistory(entries=entries)
    return render(page_context(report, history, EPOCH, translation(language), identity)).decode()
