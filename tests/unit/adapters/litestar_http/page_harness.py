"""A page to look at: a face whose health and past somebody sets, and the page taken apart."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from html.parser import HTMLParser

from litestar import Litestar
from litestar.testing import TestClient

from dstack_backend.adapters.litestar_http import HealthApp
from dstack_backend.domain import CheckFailure, Gpu, GpuInventory, Reason, Status
from dstack_backend.domain.history import NOT_RUNNING, HistoryEntry, HistoryError, Uptime
from dstack_backend.testing.fakes import EPOCH, FakeHealth, FakeHistoryStore

__all__ = ["BROWSER", "CARD", "ENTRIES", "GOOD", "FakeHistory", "PageClient", "Parsed"]

_REFUSED = CheckFailure(Reason.CONNECTION_REFUSED)


def _entry(number: int, after: Status | None, reason: Reason | None, message: str) -> HistoryEntry:
    at = EPOCH + timedelta(hours=number)
    return HistoryEntry(
        at=at, before=None, after=after, reason=reason, message=message, number=number
    )


ENTRIES = [
    _entry(1, Status.AVAILABLE, None, "8 GPUs, 5 free"),
    _entry(2, Status.UNAVAILABLE, Reason.CONNECTION_REFUSED, _REFUSED.message),
    _entry(3, None, None, NOT_RUNNING),
    _entry(4, Status.UNAVAILABLE, Reason.STALE, "Stale: the last check finished 37 s ago"),
    _entry(5, Status.AVAILABLE, None, "8 GPUs, 5 free"),
]


class FakeHistory:
    """Implements the port `Past`.

    Attributes:
        entries: The entries, the first written first.
        day: How each slot divides, in shares.
        broken: Nothing can be read.
        asked: How often a timeline was asked for.
    """

    def __init__(self) -> None:
        """Begin with some entries, and always up."""
        self.entries = list(ENTRIES)
        self.day = (1.0, 0.0, 0.0)
        self.broken = False
        self.asked = 0

    async def latest(
        self,
        limit: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
    ) -> list[HistoryEntry]:
        """Give entries, the last written first."""
        self._read()
        written = FakeHistoryStore()
        written.append(self.entries, EPOCH)
        return written.latest(limit, since=since, until=until, before=before)

    async def timeline(self, seconds: float, slots: int) -> list[Uptime]:
        """Give slots that are all alike."""
        self._read()
        self.asked += 1
        return [Uptime(*(share * seconds / slots for share in self.day))] * slots

    def _read(self) -> None:
        if self.broken:
            raise HistoryError("disk I/O error at /var/secret")


BROWSER = {"Accept": "text/html,*/*;q=0.8"}
CARD = Gpu(slot="3b:00.0", product_id="10de:2335", description="NVIDIA", is_free=True)
GOOD = GpuInventory(gpus=(CARD,), source_version="v0.5.11")


@asynccontextmanager
async def _nothing(_: Litestar) -> AsyncGenerator[None, None]:
    yield


class PageClient:
    """Looks at a face whose health and past are up to the test."""

    def __init__(self) -> None:
        self.health = FakeHealth(GOOD)
        self.past = FakeHistory()
        self.client = TestClient(HealthApp(self.health, lambda _: b"", _nothing, self.past))

    def look(self, language: str = "en", **headers: str) -> str:
        """Give the page's text."""
        response = self.client.get("/", headers={**BROWSER, "Accept-Language": language, **headers})
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return response.text


class Parsed(HTMLParser):
    """The tags and attributes of a page, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.text += data
