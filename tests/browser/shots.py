"""Takes the README's two screenshots of the page: `python -m tests.browser.shots FOLDER`.

With `all` as a second argument: each state, device, scheme and language.
"""

import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from msgspec import Struct

from tests.browser.conftest import chromium, simulated_node
from tests.browser.harness import SimulatedNode

__all__ = ["ALL", "README", "Shot", "take"]

SETTLE = 1200
"""Milliseconds after which the page has updated itself."""


class Shot(Struct, frozen=True):
    """One screenshot.

    Attributes:
        name: Name of the file.
        reason: Why the node is unavailable; `None` while it is available.
        width: Width of the screen.
        height: Height of the screen; `None` takes the whole page.
        scheme: `light` or `dark`.
        locale: The browser's language.
    """

    name: str
    reason: str | None
    width: int
    height: int | None = None
    scheme: str = "light"
    locale: str = "en-GB"


README = [
    Shot("available", None, 1280, 1120),
    Shot("unavailable", "connection_refused", 390, 1120, "dark"),
]


def _all() -> Iterator[Shot]:
    reasons = (None, "connection_refused")
    for reason, width, scheme, locale in product(
        reasons, (1280, 390), ("light", "dark"), ("en-GB", "zh-CN")
    ):
        yield Shot(f"{reason}-{width}-{scheme}-{locale}", reason, width, None, scheme, locale)


ALL = list(_all())


def take(folder: Path, shots: list[Shot]) -> None:
    """Take screenshots; those of an available node must come first."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as temporary,
        chromium() as browser,
        simulated_node(browser, Path(temporary)) as node,
    ):
        for shot in shots:
            if shot.reason:
                node.dstack.crash()
            node.service.wait_for(shot.reason)
            _shoot(node, folder, shot)


def _shoot(node: SimulatedNode, folder: Path, shot: Shot) -> None:
    page = node.open(
        viewport={"width": shot.width, "height": shot.height or 800},
        color_scheme=shot.scheme,
        locale=shot.locale,
    )
    page.wait_for_timeout(SETTLE)
    page.screenshot(path=folder / f"{shot.name}.png", full_page=shot.height is None)


if __name__ == "__main__":
    take(Path(sys.argv[1]), ALL if "all" in sys.argv else README)
