"""The page's static files, read once, and their common version."""

from functools import cache
from hashlib import sha256
from pathlib import Path

__all__ = ["assets", "assets_version"]

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def assets() -> dict[str, tuple[bytes, str]]:
    """Return content and media type of each file, by name."""
    return {
        path.name: (path.read_bytes(), _MEDIA_TYPES[path.suffix])
        for path in (Path(__file__).parent / "assets").iterdir()
        if path.suffix in _MEDIA_TYPES
    }


@cache
def assets_version() -> str:
    """Return a version that differs whenever a file differs."""
    digest = sha256()
    for name, (content, _) in sorted(assets().items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]
