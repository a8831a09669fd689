"""The template at work. Jinja is loaded with the first page that is asked for, not at the start."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstack_backend.adapters.litestar_http.page.assets import version
from dstack_backend.adapters.litestar_http.page.formatting import instant, shown_time

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

__all__ = ["render", "template"]


def render(values: dict[str, Any]) -> bytes:
    """Give the page's bytes. What is no text of ours is escaped."""
    ours = {"assets": f"assets/{version()}", "version": version()}
    return template().render(values | ours).encode(errors="replace")


@cache
def template() -> "Template":
    """Give the compiled template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - slow

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(coded=_coded, instant=instant, shown_time=shown_time)
    return environment.get_template("page.html")


def _coded(text: str) -> "Markup":
    """Turn what stands between backticks into code."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - comes with Jinja

    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
