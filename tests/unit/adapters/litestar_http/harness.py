"""Clients of an application whose health and history a test sets, and a parser for its page."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.domain import (
    CheckFailure,
    CheckResult,
    Gpu,
    GpuInventory,
    HistoryEntry,
    NodeIdentity,
    Reason,
    Status,
    StatusReport,
)
from dstack_backend.domain.history import EntryKind, GapCause
from dstack_backend.domain.requests import HealthRequests
from dstack_backend.testing.fakes import EPOCH, ORIGIN, FakeHealth, FakeHistory, FakeNotifier

__all__ = [
    "AVAILABLE",
    "BROWSER",
    "ENTRIES",
    "GPU",
    "NOW",
    "SYSFS",
    "UNAVAILABLE",
    "AppClient",
    "ParsedPage",
    "closed_notifier",
    "entry",
    "exposition",
    "history_of_day",
    "no_lifespan",
]

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
GPU = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
AVAILABLE = GpuInventory(gpus=(GPU,), allow_attach_all=True, source_version="v0.5.11")
SYSFS = NodeIdentity(topic="sysfs-gpu-monitor", source="sysfs", service="sysfs-gpus")
UNAVAILABLE = CheckFailure(Reason.CONNECTION_REFUSED)
NOW = EPOCH + timedelta(days=90)


def entry(
    hours: float, after: Status | None, reason: Reason | None = None, gap: GapCause | None = None
) -> HistoryEntry:
    """Return an entry so many hours after `EPOCH`."""
    code = reason and reason.summary, gap and gap.message
    return HistoryEntry(
        kind=EntryKind.GAP if gap else EntryKind.STATUS,
        at=EPOCH + timedelta(hours=hours),
        before=None,
        after=after,
        reason=reason,
        gap=gap,
        message=code[0] or code[1] or "8 GPUs, 5 free",
    )


ENTRIES = (
    entry(1, Status.AVAILABLE),
    entry(2, Status.UNAVAILABLE, Reason.CONNECTION_REFUSED),
    entry(3, None, gap=GapCause.STOPPED),
    entry(4, Status.UNAVAILABLE, Reason.STALE),
    entry(5, Status.AVAILABLE),
)


def history_of_day(up: float, down: float, unknown: float) -> FakeHistory:
    """Return a history that starts 24 hours before `NOW` and divides them in these shares."""
    start, down_at = 90 * 24 - 24, 90 * 24 - 24 * (up + down)
    entries = [
        entry(start, None, gap=GapCause.STOPPED),
        entry(down_at, Status.UNAVAILABLE, Reason.TIMED_OUT),
        entry(90 * 24 - 24 * up, Status.AVAILABLE),
    ]
    assert abs(up + down + unknown - 1) < 1e-9
    return FakeHistory(entries if up else entries[:-1] if down else entries[:1], NOW)


def exposition(report: StatusReport, *, openmetrics: bool) -> bytes:
    """Return metrics that name the status, and end as the format does."""
    return f"up {report.status}\n{'# EOF' if openmetrics else ''}".encode()


@asynccontextmanager
async def no_lifespan(_: Litestar) -> AsyncGenerator[None, None]:
    """Do nothing at the start and at the end."""
    yield


def closed_notifier() -> FakeNotifier:
    """Return a notifier with which each stream ends after its first event."""
    notifier = FakeNotifier()
    notifier.close()
    return notifier


class AppClient:
    """A client of the application.

    Attributes:
        health: What is known of the node.
        history: The history.
        notifier: Counts the updates; closed, so that streams end after their first event.
        identity: How the node presents itself.
        client: Sends requests.
    """

    def __init__(
        self,
        result: CheckResult | None = None,
        *,
        history: FakeHistory | None = None,
        identity: NodeIdentity | None = None,
        entries: Sequence[HistoryEntry] = ENTRIES,
    ) -> None:
        """Create the application after a check with this result; `None`: before the first one."""
        self.health = FakeHealth(result)
        self.history = history or FakeHistory(entries, NOW)
        self.notifier = closed_notifier()
        self.identity = identity or NodeIdentity()
        self.app = HealthApp(
            self.health,
            exposition,
            no_lifespan,
            self.history,
            self.notifier,
            self.identity,
            requests=HealthRequests(lambda: ORIGIN),
        )
        self.client = TestClient(self.app)

    def set_result(self, result: CheckResult | None) -> None:
        """Finish a check with this result."""
        self.health.know(result)

    def get(self, path: str, **headers: str) -> Any:
        """Return the response to GET."""
        return self.client.get(path, headers=headers)

    def page(self, language: str = "en") -> str:
        """Return the page that a browser gets."""
        response = self.client.get("/", headers={**BROWSER, "Accept-Language": language})
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return response.text


class ParsedPage(HTMLParser):
    """A page, parsed.

    Attributes:
        tags: Names and attributes of the tags, in order.
        text: The text between the tags, with single spaces.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self.feed(page)
        self.text = " ".join("".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self._texts.append(data)
