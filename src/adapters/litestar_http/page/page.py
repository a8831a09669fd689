"""Gathers what the page shows, and renders it once for all who look at the same moment."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.page.context import (
    MOST_CHANGES,
    TIMELINES,
    PageHistory,
    view,
)
from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.adapters.litestar_http.page.render import render, template
from dstack_backend.domain.backend_info import DSTACK
from dstack_backend.domain.history import HistoryError, Uptime
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier

__all__ = ["Page"]

PAGE_HOLDS = 1.0
"""Seconds for which a page is given to whoever asks, as long as there is nothing new."""

TIMELINES_HOLD = 10.0
"""Seconds for which the timelines are: reading 90 days of a flapping DStack is no small thing."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Page:
    """The page in each language."""

    def __init__(
        self,
        health: Health,
        history: HistoryReader,
        notifier: UpdateNotifier,
        now: Callable[[], datetime] = _utc_now,
        source: str = DSTACK,
    ) -> None:
        """Take what is known.

        Args:
            health: What is known of the node.
            past: What is known of its past.
            news: Says when there is something new.
            now: The wall clock.
            source: What people call the source of GPUs.
        """
        self._source = source
        self._health = health
        self._history_reader = history
        self._notifier = notifier
        self._now = now
        self._pages: dict[str, SingleFlightCache[bytes]] = {}
        self._timelines: SingleFlightCache[dict[str, list[Uptime]]] = SingleFlightCache(
            TIMELINES_HOLD
        )

    async def html(self, language: str) -> bytes:
        """Give the page's bytes in one of the languages."""
        shared = self._pages.setdefault(language, SingleFlightCache(PAGE_HOLDS))
        return await shared.get(
            (self._notifier.version, self._health.response().is_available),
            lambda: self._make(language),
        )

    async def _make(self, language: str) -> bytes:
        await asyncio.to_thread(template)  # loading it the first time holds nobody up
        history = await self._history()
        report, texts = self._health.report(), translation(language)
        return render(view(report, history, self._now(), texts, self._source))

    async def _history(self) -> PageHistory | None:
        report = self._health.report()
        try:
            timelines = await self._timelines.get(
                (report.last_change, report.reason), self._read_timelines
            )
            return PageHistory(timelines, await self._history_reader.latest(MOST_CHANGES))
        except HistoryError:
            return None

    async def _read_timelines(self) -> dict[str, list[Uptime]]:
        return {
            name: await self._history_reader.timeline(seconds, slots)
            for name, (seconds, slots) in TIMELINES.items()
        }
