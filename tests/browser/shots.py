"""Takes pictures of the page: `python -m tests.browser.shots FOLDER`, the README's two of them.

With `all` behind it: each state, device, scheme and language, to look at after a change.
"""

import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from msgspec import Struct

from tests.browser.conftest import chromium, stage
from tests.browser.harness import SimulatedNode

__all__ = ["ALL", "README", "Shot", "take"]

SETTLE = 1200
"""Milliseconds in which the page has fetched itself anew."""


class Shot(Struct, frozen=True):
    """One picture.

    Attributes:
        name: Its file's name.
        reason: Why the node is unavailable; `None` while it is available.
        width: Of the screen.
        height: Of the screen; `None` takes the whole page.
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
    """Take pictures; those of an available node have to come first."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as room,
        chromium() as browser,
        stage(browser, Path(room)) as staged,
    ):
        for shot in shots:
            if shot.reason:
                staged.dstack.crash()
            staged.service.wait_for(shot.reason)
            _shoot(staged, folder, shot)


def _shoot(staged: SimulatedNode, folder: Path, shot: Shot) -> None:
    page = staged.open(
        viewport={"width": shot.width, "height": shot.height or 800},
        color_scheme=shot.scheme,
        locale=shot.locale,
    )
    page.wait_for_timeout(SETTLE)
    page.screenshot(path=folder / f"{shot.name}.png", full_page=shot.height is None)


if __name__ == "__main__":
    take(Path(sys.argv[1]), ALL if "all" in sys.argv else README)
