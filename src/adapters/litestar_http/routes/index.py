"""`GET /`: the node's page for browsers, service information for programs."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend.adapters.litestar_http.negotiation import preferred_language, prefers_html
from dstack_backend.adapters.litestar_http.openapi import status as openapi
from dstack_backend.adapters.litestar_http.page import LANGUAGES, Page
from dstack_backend.adapters.litestar_http.schemas import ServiceInfo, service_info
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import Health, HistoryReader, UpdateNotifier

__all__ = ["index_handler"]

_VARY = {"Vary": "Accept, Accept-Language"}

# The page loads nothing from elsewhere and cannot be framed.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    **_VARY,
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def index_handler(
    health: Health, history: HistoryReader, notifier: UpdateNotifier, identity: NodeIdentity
) -> HTTPRouteHandler:
    """Return the handler."""
    page = Page(health, history, notifier, identity)

    @get(
        "/",
        responses=openapi.index_responses(identity),
        operation_class=openapi.IndexOperation,
        tags=["service"],
    )
    async def service_information(request: Request[Any, Any, Any]) -> Response[ServiceInfo]:
        """The service, its status and its other paths. Browsers get the node's page instead."""
        if not prefers_html(request.headers.get("accept", "")):
            report = health.report()
            return Response(service_info(identity, report.status, report.reason), headers=_VARY)
        language = _language(request)
        return Response(
            await page.html(language),  # type: ignore[arg-type]  # see IndexOperation
            media_type="text/html",
            headers={**_PAGE_HEADERS, "Content-Language": language},
        )

    return service_information


def _language(request: Request[Any, Any, Any]) -> str:
    requested = request.query_params.get("lang")
    if requested in LANGUAGES:
        return str(requested)
    header = request.headers.get("accept-language", "")
    return preferred_language(header, LANGUAGES) or LANGUAGES[0]
