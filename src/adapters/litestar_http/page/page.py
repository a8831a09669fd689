"""The page: collects what it shows, and renders it once for all requests at about the same time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.page.context import (
    BARS,
    MAX_CHANGES,
    PageHistory,
    page_context,
)
from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.history import WINDOWS
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier
from dstack_backend.domain.requests import HealthRequests

__all__ = ["Page"]

PAGE_TTL = 1.0  # seconds, while there is no update
TIMELINES_TTL = 10.0  # seconds, while the status does not change


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

    async def _render(self, language: str) -> bytes:
        render = await asyncio.to_thread(_load_renderer)  # the first time takes a while
        report = self._health.report()
        timelines = await self._timelines.get(
            (report.last_change, report.reason), self._compute_timelines
        )
        history = replace(
            timelines,
            entries=await self._history.latest(MAX_CHANGES),
            durations=self._health.durations(),
            requests=self._requests.report(),
        )
        report, gpus = self._health.report(), self._health.gpus()
        texts, now = translation(language), datetime.now(UTC)
        return render(page_context(report, gpus, history, now, texts, self._identity))

    async def _compute_timelines(self) -> PageHistory:
        timelines = {
            window: await self._history.timeline(WINDOWS[window].total_seconds(), count)
            for window, count in BARS.items()
        }
        use = await self._history.gpu_use()
        return PageHistory(await self._history.uptime(), timelines, use)


def _load_renderer() -> Callable[[dict[str, Any]], bytes]:
    from dstack_backend.adapters.litestar_http.page.render import render  # noqa: PLC0415 - slow

    return render
