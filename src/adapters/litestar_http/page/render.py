"""Renders the template. Jinja is imported with the first page, not at the start."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstack_backend.adapters.litestar_http.page.assets import assets_version
from dstack_backend.domain.formatting import format_duration, format_percent, format_time

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

__all__ = ["load_template", "render"]


def render(context: dict[str, Any]) -> bytes:
    """Return the page's bytes. All variables are escaped."""
    page = load_template().render(context, assets_version=assets_version())
    return page.encode(errors="replace")


@cache
def load_template() -> "Template":
    """Return the compiled template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - slow

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        code=_code, duration=format_duration, percent=format_percent, time=format_time
    )
    return environment.get_template("page.html")


def _code(text: str) -> "Markup":
    """Turn what is between backticks into `<code>`."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - comes with Jinja

    return Markup("").join(
        Markup("<code>{}</code>").format(part) if position % 2 else escape(part)
        for position, part in enumerate(text.split("`"))
    )
