"""axe, the accessibility checker, with all its rules."""

from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Page

__all__ = ["EACH_LOOK", "violations"]

EACH_LOOK = pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "zh-CN")])
"""Each colour scheme and each language once: no rule of axe depends on both."""


@cache
def _script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def violations(page: Page) -> list[str]:
    """Return each violation of a rule, with the element."""
    page.evaluate(_script())
    result: Any = page.evaluate("axe.run()")
    assert len(result["passes"]) > 10, "axe has run"
    return [
        f"{rule['id']}: {rule['help']}: {node['html']}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
