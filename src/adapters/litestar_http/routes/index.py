"""What `/` answers: the node's page in a browser, service information for programs."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.negotiation import preferred_language, prefers_html
from dstack_backend.adapters.litestar_http.openapi import history as openapi_history
from dstack_backend.adapters.litestar_http.openapi import status as openapi
from dstack_backend.adapters.litestar_http.page import LANGUAGES, PAGE_HEADERS, Page
from dstack_backend.adapters.litestar_http.schemas import LINKS, ServiceInfo
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier

__all__ = ["root_handler"]

HTML = "text/html"
VARY = {"Vary": "Accept, Accept-Language"}


def root_handler(
    health: Health, history: HistoryReader, notifier: UpdateNotifier, identity: NodeIdentity
) -> HTTPRouteHandler:
    """Make the handler."""
    page = Page(health, history, notifier, source=identity.source)

    @get(
        "/",
        responses=openapi.SERVICE_INFO,
        operation_class=openapi_history.PageOperation,
        tags=["service"],
    )
    async def service_information(request: Request[Any, Any, Any]) -> Response[ServiceInfo]:
        """What this service is, how the node is, and where the rest can be read.

        A browser gets the node's page instead.
        """
        if not prefers_html(request.headers.get("accept", "")):
            return Response(_information(health), headers=VARY)
        language = _language(request)
        return Response(
            await page.html(language),  # type: ignore[arg-type]  # OpenAPI is told of the page
            media_type=HTML,
            headers={**VARY, **PAGE_HEADERS, "Content-Language": language},
        )

    return service_information


def _information(health: Health) -> ServiceInfo:
    report = health.report()
    return ServiceInfo(
        name="dstack-backend",
        version=__version__,
        status=report.status,
        reason=report.reason,
        links=LINKS,
    )


def _language(request: Request[Any, Any, Any]) -> str:
    asked = request.query_params.get("lang")
    if asked in LANGUAGES:
        return str(asked)
    header = request.headers.get("accept-language", "")
    return preferred_language(header, LANGUAGES) or next(iter(LANGUAGES))
