"""The page: collects what it shows, and renders it once for all requests at about the same time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.page.context import (
    PageHistory,
    common_context,
    page_context,
)
from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.adapters.litestar_http.page.incidents import MAX_INCIDENTS, incidents_context
from dstack_backend.adapters.litestar_http.page.timelines import BARS
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.history import WINDOWS
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier
from dstack_backend.domain.requests import HealthRequests

__all__ = ["Page"]

PAGE_TTL = 1.0  # seconds, while there is no update
TIMELINES_TTL = 10.0  # seconds, while the status does not change
ARCHIVE_INCIDENTS = 50


class Page:
    """The node's page in each language."""

    def __init__(
        self,
        health: Health,
        history: HistoryReader,
        notifier: UpdateNotifier,
        identity: NodeIdentity,
        requests: HealthRequests,
    ) -> None:
        """Render nothing yet. See `HealthApp` for the arguments."""
        self._health = health
        self._history = history
        self._notifier = notifier
        self._identity = identity
        self._requests = requests
        self._pages: dict[str, SingleFlightCache[bytes]] = {}
        self._timelines: SingleFlightCache[PageHistory] = SingleFlightCache(TIMELINES_TTL)

    async def html(self, language: str) -> bytes:
        """Return the page in one of `LANGUAGES`."""
        cache = self._pages.setdefault(language, SingleFlightCache(PAGE_TTL))
        key = self._notifier.version, self._health.response().is_available
        return await cache.get(key, lambda: self._render(language))

    async def incidents(self, language: str, before: int | None) -> bytes:
        """Return the page of the incidents that began before the entry with a number."""
        render = await asyncio.to_thread(_load_renderer)
        found = await self._history.incidents(ARCHIVE_INCIDENTS + 1, before)
        gpus, now = self._health.gpus(), datetime.now(UTC)
        shown = incidents_context(found, ARCHIVE_INCIDENTS, gpus, now)
        common = common_context(translation(language), self._identity)
        return render({**common, "before": before, "incidents": shown}, "archive.html")

    async def _render(self, language: str) -> bytes:
        render = await asyncio.to_thread(_load_renderer)  # the first time takes a while
        report = self._health.report()
        timelines = await self._timelines.get(
            (report.last_change, report.reason), self._compute_timelines
        )
        incidents = await self._history.incidents(MAX_INCIDENTS + 1)
        history = replace(
            timelines,
            incidents=incidents,
            durations=self._health.durations(),
            requests=self._requests.report(),
        )
        report, gpus = self._health.report(), self._health.gpus()
        texts, now = translation(language), datetime.now(UTC)
        return render(page_context(report, gpus, history, now, texts, self._identity))

    async def _compute_timelines(self) -> PageHistory:
        now = datetime.now(UTC)  # first: no time before the record counts as unknown
        timelines = {
            window: await self._history.timeline(WINDOWS[window].total_seconds(), count)
            for window, count in BARS.items()
        }
        use = await self._history.gpu_use()
        uptime, start = await self._history.uptime(), await self._history.start()
        return PageHistory(uptime, timelines, use, start, now)


def _load_renderer() -> Callable[..., bytes]:
    from dstack_backend.adapters.litestar_http.page.render import render  # noqa: PLC0415 - slow

    return render
