"""The page's files. Their version is part of their address, so that they are cached for ever."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

__all__ = ["asset_handler", "version"]

_FOLDER = Path(__file__).parent / "assets"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _TYPES}


@cache
def version() -> str:
    """Give a version that is another one whenever a file is."""
    digest = sha256()
    for name, content in sorted(_files().items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]


def asset_handler() -> HTTPRouteHandler:
    """Make the handler of all files."""

    @get("/assets/{of:str}/{name:str}", include_in_schema=False)
    async def asset(of: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        """One file of one version."""
        content = _files().get(name) if of == version() else None
        if content is None:
            raise NotFoundException
        return Response(content, media_type=_TYPES[Path(name).suffix], headers=_HEADERS)

    return asset
