"""axe, the accessibility checker: all of its rules, on a page as it is."""

from functools import cache
from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

__all__ = ["faults"]


@cache
def _script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def faults(page: Page) -> list[str]:
    """Give what axe finds: each rule that is broken, and where."""
    page.evaluate(_script())
    found: Any = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "it has looked"
    return [
        f"{rule['id']}: {rule['help']}: {node['html']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
