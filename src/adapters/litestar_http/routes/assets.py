"""`GET /assets/...`: the page's files, cached for ever under an address with their version."""

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from dstack_backend.adapters.litestar_http.page import assets, assets_version

__all__ = ["asset_handler"]

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def asset_handler() -> HTTPRouteHandler:
    """Return the handler of all files."""

    @get("/assets/{version:str}/{name:str}", include_in_schema=False)
    async def asset_file(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        """One file. Only the present version exists."""
        if version != assets_version() or name not in assets():
            raise NotFoundException
        content, media_type = assets()[name]
        return Response(content, media_type=media_type, headers=_HEADERS)

    return asset_file
