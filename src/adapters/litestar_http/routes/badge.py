"""`GET /badge.svg`: the status or the uptime as an image, for other sites."""

from typing import Annotated, Literal

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from dstack_backend.adapters.litestar_http.badge import MAX_NAME, Badge, draw
from dstack_backend.adapters.litestar_http.cache import SingleFlightCache
from dstack_backend.adapters.litestar_http.openapi import json_spec, text_spec
from dstack_backend.adapters.litestar_http.page.i18n import translation
from dstack_backend.adapters.litestar_http.schemas import ParameterFault, Problem
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.formatting import format_percent
from dstack_backend.domain.history import Uptime
from dstack_backend.domain.ports import Health, HistoryReader

__all__ = ["badge_handler"]

MAX_AGE = 30
"""Seconds for which clients and proxies may keep a badge, and for which an uptime is kept."""

GOOD, FAIR = 99.0, 95.0
"""Percent of uptime from which a badge is green, and yellow."""

MOSTLY = 50.0
"""Percent of unknown time above which a badge says so."""

_HEADERS = {
    "Cache-Control": f"public, max-age={MAX_AGE}",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

# Annotations of the handler, so that OpenAPI lists the values.
WindowName = Annotated[
    Literal["24h", "7d", "30d", "90d"] | None,
    QueryParameter(name="window", description="show the uptime of this time, not the status"),
]
Language = Annotated[
    Literal["en", "zh"], QueryParameter(name="lang", description="language of the text")
]

_FAULT = ParameterFault(message="Invalid enum value '1y'", key="window", source="query")
_WINDOW = Problem(400, "Validation failed for GET /badge.svg?window=1y", [_FAULT])


def badge_handler(
    health: Health, history: HistoryReader, identity: NodeIdentity
) -> HTTPRouteHandler:
    """Return the handler."""
    cache: SingleFlightCache[dict[str, Uptime]] = SingleFlightCache(MAX_AGE)
    name = identity.node or identity.service
    label = name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
    example = draw(Badge(label, "available", "available", "en")).decode()

    @get(
        "/badge.svg",
        responses={
            200: text_spec("image/svg+xml", "An image, whatever the status is.", example),
            400: json_spec(Problem, "A parameter is invalid.", window=_WINDOW),
        },
        tags=["service"],
    )
    async def badge(window: WindowName = None, language: Language = "en") -> Response[str]:
        """The status of the node as an image, or its uptime. Other sites may embed it."""
        if window:
            uptime = await cache.get(None, history.uptime)
            shown = _uptime_badge(label, window, uptime[window], language)
        else:
            shown = _status_badge(label, health, language)
        return Response(
            draw(shown),  # type: ignore[arg-type]  # the encoded text
            media_type="image/svg+xml",
            headers=_HEADERS,
        )

    return badge


def _status_badge(label: str, health: Health, language: str) -> Badge:
    name, look = _condition(health)
    texts = translation(language)
    return Badge(label, texts.strings[f"badge_{name}"], look, texts.html_language)


def _condition(health: Health) -> tuple[str, str]:
    """Return the name of the condition and its look."""
    if health.response().is_available:
        gpus = health.gpus()
        name = "degraded" if gpus and gpus.is_degraded else "available"
        return name, name
    match health.report().reason:
        case Reason.STALE | Reason.STARTING as reason:
            return reason.value, "unknown"
        case _:
            return "unavailable", "unavailable"


def _uptime_badge(label: str, window: str, uptime: Uptime, language: str) -> Badge:
    texts, percent = translation(language), uptime.up_percent
    title = f"{label} · {texts.strings['badge_uptime'].format(texts.strings[window])}"
    if percent is None:
        return Badge(title, texts.strings["nothing_known"], "unknown", texts.html_language)
    look = "available" if percent >= GOOD else "degraded" if percent >= FAIR else "unavailable"
    shown, unknown = format_percent(percent), uptime.unknown_percent
    if unknown > MOSTLY:
        look = "unknown"
        shown += texts.strings["comma"] + texts.strings["unknown_share"].format(
            format_percent(unknown, 0)
        )
    return Badge(title, shown, look, texts.html_language)
