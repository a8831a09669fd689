"""Renders the template. To be imported with the first page, not at the start: Jinja needs 4 MB."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dstack_backend.adapters.litestar_http.page.assets import assets_version
from dstack_backend.domain.formatting import format_duration, format_percent, format_time

__all__ = ["render"]

HASH_LENGTH = 10
_HASH = re.compile(rf"[0-9a-f]{{{HASH_LENGTH + 2},}}")


def render(context: dict[str, Any], template: str = "page.html") -> bytes:
    """Return the page's bytes. All variables are escaped."""
    page = _environment.get_template(template).render(context, assets_version=assets_version())
    return page.encode(errors="replace")


def _version(text: str) -> Markup:
    """Shorten the hashes in a version; the whole text is in the title."""
    short = _HASH.sub(lambda found: f"{found[0][:HASH_LENGTH]}…", text)
    return Markup('<bdi class="version" title="{}">{}</bdi>').format(text, short)


def _code(text: str) -> Markup:
    """Turn what is between backticks into `<code>`."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if position % 2 else escape(part)
        for position, part in enumerate(text.split("`"))
    )


_environment = Environment(
    autoescape=True,
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    code=_code,
    duration=format_duration,
    percent=format_percent,
    time=format_time,
    version=_version,
)
