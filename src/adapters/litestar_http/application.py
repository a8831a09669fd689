"""The application: the handlers, with what holds for all of them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import ResponseHeader
from litestar.enums import HttpMethod
from litestar.types import Receive, Scope, Send

from dstack_backend.adapters.litestar_http import openapi
from dstack_backend.adapters.litestar_http.handlers import Exposition, handlers
from dstack_backend.domain.ports import Health

__all__ = ["HttpFace"]

_HEADERS = (
    ResponseHeader(name="Cache-Control", value="no-store"),
    ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
)


class HttpFace(Litestar):
    """A Litestar application that answers HEAD wherever it answers GET."""

    def __init__(
        self,
        health: Health,
        exposition: Exposition,
        lifespan: Callable[["Litestar"], AbstractAsyncContextManager[None]],
    ) -> None:
        """Tie the paths to what is known.

        Args:
            health: What is known of the node.
            exposition: Renders the metrics.
            lifespan: What runs as long as the application does.
        """
        super().__init__(
            handlers(health, exposition),
            cors_config=CORSConfig(allow_origins=["*"], allow_methods=["GET", "HEAD"]),
            lifespan=[lifespan],
            openapi_config=openapi.CONFIG,
            response_headers=_HEADERS,
            logging_config=None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # The server sees HEAD in its own scope and sends no body.
            scope = {**scope, "method": HttpMethod.GET}
        await super().__call__(scope, receive, send)
