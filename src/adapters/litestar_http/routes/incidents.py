"""`GET /incidents`: a page of the older incidents."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from dstack_backend.adapters.litestar_http.openapi import json_spec, text_spec
from dstack_backend.adapters.litestar_http.page import Page
from dstack_backend.adapters.litestar_http.routes.history import Before
from dstack_backend.adapters.litestar_http.routes.index import PAGE_HEADERS, requested_language
from dstack_backend.adapters.litestar_http.schemas import ParameterFault, Problem

__all__ = ["incidents_handler"]

_FAULT = ParameterFault(message="Expected `int` >= 1", key="before", source="query")
_BEFORE = Problem(400, "Validation failed for GET /incidents?before=0", [_FAULT])

Language = Annotated[str | None, QueryParameter(description="by default that of `Accept-Language`")]


def incidents_handler(page: Page) -> HTTPRouteHandler:
    """Return the handler."""

    @get(
        "/incidents",
        responses={
            200: text_spec("text/html", "The page.", "<!doctype html>"),
            400: json_spec(Problem, "A parameter is invalid.", before=_BEFORE),
        },
        tags=["history"],
    )
    async def incidents(
        request: Request[Any, Any, Any],
        before: Before = None,
        lang: Language = None,  # noqa: ARG001 - for the OpenAPI document
    ) -> Response[str]:
        """Outages, gaps and changes of GPUs as a page for people. Programs read `/history`."""
        language = requested_language(request)
        return Response(
            await page.incidents(language, before),  # type: ignore[arg-type]  # the encoded text
            media_type="text/html",
            headers={**PAGE_HEADERS, "Content-Language": language},
        )

    return incidents
