"""The routes, one file per group of paths. No route waits for the source or for a disk."""

import time

from litestar.handlers import HTTPRouteHandler

from dstack_backend.adapters.litestar_http.page import Page
from dstack_backend.adapters.litestar_http.routes.assets import asset_handler
from dstack_backend.adapters.litestar_http.routes.badge import badge_handler
from dstack_backend.adapters.litestar_http.routes.events import MAX_STREAMS, events_handler
from dstack_backend.adapters.litestar_http.routes.gpus import gpus_handler
from dstack_backend.adapters.litestar_http.routes.history import history_handler, uptime_handler
from dstack_backend.adapters.litestar_http.routes.incidents import incidents_handler
from dstack_backend.adapters.litestar_http.routes.index import index_handler
from dstack_backend.adapters.litestar_http.routes.status import (
    Exposition,
    health_handler,
    probe_handlers,
    status_handlers,
)
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier
from dstack_backend.domain.requests import HealthRequests

__all__ = ["Exposition", "handlers"]


def handlers(  # noqa: PLR0913 - the ports, and one number
    health: Health,
    exposition: Exposition,
    history: HistoryReader,
    notifier: UpdateNotifier,
    identity: NodeIdentity,
    *,
    max_streams: int = MAX_STREAMS,
    requests: HealthRequests | None = None,
) -> list[HTTPRouteHandler]:
    """Return the handlers of all paths, for any Litestar application. See `HealthApp`."""
    requests = requests or HealthRequests(time.monotonic)
    page = Page(health, history, notifier, identity, requests)
    return [
        index_handler(health, page, identity),
        incidents_handler(page),
        health_handler(health, identity, requests),
        *probe_handlers(health),
        *status_handlers(health, exposition, identity, requests),
        badge_handler(health, history, identity),
        gpus_handler(health, history),
        history_handler(history),
        uptime_handler(history),
        events_handler(health, notifier, max_streams),
        asset_handler(),
    ]
