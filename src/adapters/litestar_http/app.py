"""The HTTP application: all routes, and what holds for every response."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from litestar import Litestar, Request, Response, types
from litestar.config.cors import CORSConfig
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.exceptions.responses import (
    create_exception_response,  # pyright: ignore[reportUnknownVariableType] - its generics are open
)
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Server

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.fast_path import (
    count_request,
    inspect_headers,
    is_health_request,
    send_bad_host,
    send_health,
)
from dstack_backend.adapters.litestar_http.routes import Exposition, handlers
from dstack_backend.adapters.litestar_http.routes.events import IS_HEAD, MAX_STREAMS
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier
from dstack_backend.domain.requests import HealthRequests

__all__ = ["HealthApp"]

_log = logging.getLogger(__name__)

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class HealthApp(Litestar):
    """A Litestar application that answers HEAD wherever it answers GET."""

    def __init__(  # noqa: PLR0913 - its ports, and one number
        self,
        health: Health,
        exposition: Exposition,
        lifespan: Callable[["Litestar"], AbstractAsyncContextManager[None]],
        history: HistoryReader,
        notifier: UpdateNotifier,
        identity: NodeIdentity,
        *,
        requests: HealthRequests | None = None,
        max_connections: int = 2 * MAX_STREAMS,
    ) -> None:
        """Create the application.

        The lifespan runs as long as the application. The exposition renders the metrics. Streams
        of events are at most half of `max_connections`. `requests` counts those of `/health`.
        """
        self._health = health
        self._requests = requests or HealthRequests(time.monotonic)
        ports = (health, exposition, history, notifier, identity)
        streams = min(MAX_STREAMS, max_connections // 2)
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - Litestar's generics are open
            handlers(*ports, max_streams=streams, requests=self._requests),
            cors_config=CORSConfig(allow_origins=["*"], allow_methods=["GET", "HEAD"]),
            lifespan=[lifespan],
            openapi_config=OpenAPIConfig(
                title=identity.service,
                version=__version__,
                description=f"Health backend of a DePHY node. Its source is {identity.source}.",
                servers=[Server(url="..")],  # relative to the document, for path prefixes
                render_plugins=[JsonRenderPlugin(), YamlRenderPlugin()],
            ),
            response_headers=_HEADERS,
            logging_config=None,
            debug=False,  # these two would come from the environment
            pdb_on_exception=False,
            before_send=[_name_head],
            after_exception=[_log_unexpected],
            exception_handlers={Exception: _error_response},
        )

    async def __call__(
        self,
        scope: types.Scope | types.LifeSpanScope,
        receive: types.Receive | types.LifeSpanReceive,
        send: types.Send | types.LifeSpanSend,
    ) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] == ScopeType.HTTP:
            http = cast("types.HTTPScope", scope)  # pyright: ignore[reportUnnecessaryCast] - for mypy
            has_valid_host, is_browser = inspect_headers(http)
            if not has_valid_host:
                await send_bad_host(cast("types.Send", send))
                return
            if is_health_request(http):
                count_request(http, self._requests, is_browser=is_browser)
                await send_health(self._health, cast("types.Send", send))
                return
            if http["method"] == "HEAD":
                # The server sees HEAD in its own scope and sends no body.
                scope = cast("types.HTTPScope", {**http, "method": "GET", IS_HEAD: True})
        await super().__call__(scope, receive, send)


def _error_response(request: Request[Any, Any, Any], exc: Exception) -> Response[object]:
    """Return Litestar's error response with the headers of all responses."""
    response = cast("Response[object]", create_exception_response(request, exc))
    response.headers.update(_HEADERS)
    return response


async def _name_head(message: types.Message, _: types.Scope) -> None:
    """Name HEAD in `Allow`, where Litestar names the methods that are routed."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        if "allow" in headers:
            headers["allow"] = "GET, HEAD, OPTIONS"


def _log_unexpected(exc: Exception, _: types.Scope) -> None:
    if not isinstance(exc, HTTPException):
        _log.error("a request failed with an unexpected error", exc_info=exc)
