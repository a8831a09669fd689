"""`GET /`: the node's page for browsers, service information for programs."""

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from dstack_backend import __version__
from dstack_backend.adapters.litestar_http.negotiation import preferred_language, prefers_html
from dstack_backend.adapters.litestar_http.openapi import json_spec, negotiated_text
from dstack_backend.adapters.litestar_http.page import LANGUAGES, Page
from dstack_backend.adapters.litestar_http.schemas import ServiceInfo
from dstack_backend.domain.backend_info import DSTACK, NodeIdentity
from dstack_backend.domain.check import Reason
from dstack_backend.domain.ports import Health
from dstack_backend.domain.status import Status

__all__ = ["PAGE_HEADERS", "index_handler", "requested_language"]

_PATHS = ("health", "status", "gpus", "history", "uptime", "events", "livez", "readyz", "metrics")
_FILES = {"badge": "badge.svg", "openapi": "schema/openapi.json"}
LINKS = {path: path for path in _PATHS} | _FILES
"""Links relative to `/`: they work behind a path prefix."""

_VARY = {"Vary": "Accept, Accept-Language"}

# The page loads nothing from elsewhere and cannot be framed.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    **_VARY,
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def index_handler(health: Health, page: Page, identity: NodeIdentity) -> HTTPRouteHandler:
    """Return the handler."""
    example = _service_info(health, identity, Status.AVAILABLE, None)

    @get(
        "/",
        responses={200: json_spec(ServiceInfo, "The service and its status.", available=example)},
        operation_class=negotiated_text(
            "text/html", "The node's page, for `Accept: text/html`, as browsers send it."
        ),
        tags=["service"],
    )
    async def service_information(request: Request[Any, Any, Any]) -> Response[ServiceInfo]:
        """The service, its status and its other paths. Browsers get the node's page instead."""
        if not prefers_html(request.headers.get("accept", "")):
            report = health.report()
            info = _service_info(health, identity, report.status, report.reason)
            return Response(info, headers=_VARY)
        language = requested_language(request)
        return Response(
            await page.html(language),  # type: ignore[arg-type]  # see negotiated_text
            media_type="text/html",
            headers={**PAGE_HEADERS, "Content-Language": language},
        )

    return service_information


def _service_info(
    health: Health, identity: NodeIdentity, status: Status, reason: Reason | None
) -> ServiceInfo:
    has_gpus = identity.source == DSTACK or health.gpus() is not None
    links = {name: link for name, link in LINKS.items() if has_gpus or name != "gpus"}
    return ServiceInfo(
        name=identity.service,
        node=identity.node,
        version=__version__,
        status=status,
        reason=reason,
        links=links,
    )


def requested_language(request: Request[Any, Any, Any]) -> str:
    """Return one of `LANGUAGES`: that of the parameter `lang`, or that of `Accept-Language`."""
    requested = request.query_params.get("lang")
    if requested in LANGUAGES:
        return str(requested)
    header = request.headers.get("accept-language", "")
    return preferred_language(header, LANGUAGES) or LANGUAGES[0]
