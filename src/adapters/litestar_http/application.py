"""The application: the handlers, with what holds for all of them."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig
from litestar.datastructures import ResponseHeader
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import HTTPException
from litestar.exceptions.responses import (
    create_exception_response,  # pyright: ignore[reportUnknownVariableType] - its generics are open
)
from litestar.types import (
    HTTPScope,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Receive,
    Scope,
    Send,
)

from dstack_backend.adapters.litestar_http.fast_path import answer_health, asks_for_health
from dstack_backend.adapters.litestar_http.openapi import status as openapi
from dstack_backend.adapters.litestar_http.routes.events import ASKED_BY_HEAD
from dstack_backend.adapters.litestar_http.routes.handlers import Exposition, handlers
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier

__all__ = ["HealthApp"]

_log = logging.getLogger(__name__)

_HEADERS = (
    ResponseHeader(name="Cache-Control", value="no-store"),
    ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
)


class HealthApp(Litestar):
    """A Litestar application that answers HEAD wherever it answers GET."""

    def __init__(
        self,
        health: Health,
        exposition: Exposition,
        lifespan: Callable[["Litestar"], AbstractAsyncContextManager[None]],
        history: HistoryReader | None = None,
        notifier: UpdateNotifier | None = None,
        identity: NodeIdentity | None = None,
    ) -> None:
        """Tie the paths to what is known.

        Args:
            health: What is known of the node.
            exposition: Renders the metrics.
            lifespan: What runs as long as the application does.
            history: The history; by default there is none.
            notifier: Counts the updates; by default a client has to come back for them.
            identity: How the node presents itself.
        """
        self._health = health
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - Litestar's generics are open
            handlers(health, exposition, history, notifier, identity),
            cors_config=CORSConfig(allow_origins=["*"], allow_methods=["GET", "HEAD"]),
            lifespan=[lifespan],
            openapi_config=openapi.CONFIG,
            response_headers=_HEADERS,
            logging_config=None,
            after_exception=[_report_unexpected],
            exception_handlers={Exception: _problem},
        )

    async def __call__(
        self,
        scope: Scope | LifeSpanScope,
        receive: Receive | LifeSpanReceive,
        send: Send | LifeSpanSend,
    ) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] == ScopeType.HTTP:
            http = cast("HTTPScope", scope)  # pyright: ignore[reportUnnecessaryCast] - mypy needs it
            if asks_for_health(http):
                await answer_health(self._health, cast("Send", send))
                return
            if http["method"] == HttpMethod.HEAD:
                # The server sees HEAD in its own scope and sends no body.
                scope = cast(
                    "HTTPScope", {**http, "method": HttpMethod.GET.value, ASKED_BY_HEAD: True}
                )
        await super().__call__(scope, receive, send)


def _problem(request: Request[Any, Any, Any], exc: Exception) -> Response[object]:
    """Answer as Litestar does, with the headers of every answer, and name HEAD as well."""
    answer = cast("Response[object]", create_exception_response(request, exc))
    answer.headers.update({header.name: str(header.value) for header in _HEADERS})
    if "allow" in answer.headers:
        answer.headers["allow"] = "GET, HEAD, OPTIONS"
    return answer


def _report_unexpected(exc: Exception, _: Scope) -> None:
    if not isinstance(exc, HTTPException):
        _log.error("a request could not be answered", exc_info=exc)
