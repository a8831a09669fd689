"""Renders a page without a server."""

from collections.abc import Sequence

from dstack_backend.adapters.litestar_http.page.context import PageHistory, page_context
from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.adapters.litestar_http.page.incidents import MAX_INCIDENTS
from dstack_backend.adapters.litestar_http.page.render import render
from dstack_backend.domain import (
    Check,
    CheckPolicy,
    CheckResult,
    HistoryEntry,
    MonitorState,
    NodeIdentity,
    Timestamp,
    observe,
    report,
)
from dstack_backend.domain.gpu import GpuUse
from dstack_backend.domain.history import EntryGroup, incidents, status_entries
from dstack_backend.testing.fakes import EPOCH

__all__ = ["page_after", "page_of"]


def page_of(
    result: CheckResult | None,
    language: str = "en",
    identity: NodeIdentity | None = None,
    entries: Sequence[HistoryEntry] = (),
) -> str:
    """Return the page after a check with this result; `None`: before the first check."""
    results = () if result is None else (result,)
    return page_after(*results, language=language, identity=identity, entries=entries)


def page_after(
    *results: CheckResult,
    policy: CheckPolicy | None = None,
    language: str = "en",
    identity: NodeIdentity | None = None,
    entries: Sequence[HistoryEntry] = (),
    use: GpuUse | None = None,
    seconds: float = 1.0,
) -> str:
    """Return the page after checks with these results, so many seconds apart."""
    policy, start = policy or CheckPolicy(), Timestamp(0.0, EPOCH)
    state = MonitorState(since=start)
    for number, result in enumerate(results):
        started = number * seconds
        check = Check(result=result, started=started, finished=start + started)
        state = observe(state, check, policy)
    now = start + seconds * max(0, len(results) - 1)
    shown = report(state, now.monotonic, policy)
    status = status_entries(entries)
    gpus = [each for each in entries if each.kind.group is EntryGroup.GPU]
    found = incidents(status, gpus, MAX_INCIDENTS + 1)
    history = PageHistory(incidents=found, use=use or GpuUse())
    texts = translation(language)
    return render(
        page_context(shown, state.gpus, history, now.utc, texts, identity or NodeIdentity())
    ).decode()
