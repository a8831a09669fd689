"""Takes the README's screenshots of the page: `python -m tests.browser.shots FOLDER`.

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
from tests.contract.process.service import Service

__all__ = ["ALL", "README", "Shot", "take"]

SETTLE = 1200
"""Milliseconds after which the page has updated itself."""

LOST_HOURS = 9.2

STATES = ("available", "degraded", "unavailable", "no-gpus")


class Shot(Struct, frozen=True):
    """One screenshot.

    Attributes:
        name: Name of the file.
        state: One of `STATES`.
        width: Width of the screen.
        height: Height of the screen; `None` takes the whole page.
        scheme: `light` or `dark`.
        locale: The browser's language.
    """

    name: str
    state: str
    width: int
    height: int | None = None
    scheme: str = "light"
    locale: str = "en-GB"


README = [
    Shot("available", "available", 1280, 1120),
    Shot("degraded", "degraded", 1280, 1150),
    Shot("unavailable", "unavailable", 390, 1120, "dark"),
]


def _all() -> Iterator[Shot]:
    for state, width, scheme, locale in product(
        STATES, (1280, 390), ("light", "dark"), ("en-GB", "zh-CN")
    ):
        yield Shot(f"{state}-{width}-{scheme}-{locale}", state, width, None, scheme, locale)


ALL = list(_all())


def take(folder: Path, shots: list[Shot]) -> None:
    """Take screenshots, with a node for each state."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for state in STATES:
            lost_hours = LOST_HOURS if state == "degraded" else None
            with (
                tempfile.TemporaryDirectory() as temporary,
                simulated_node(browser, Path(temporary), lost_hours) as node,
            ):
                service = _service(node, state)
                for shot in shots:
                    if shot.state == state:
                        _shoot(node, service, folder, shot)


def _service(node: SimulatedNode, state: str) -> Service:
    """Return a service that is in this state."""
    if state == "no-gpus":
        node.dstack.dstack.gpus = ()
        service = node.serve(HISTORY="off")
        service.wait_for(None)
        return service
    node.service.wait_for(None)
    if state == "unavailable":
        node.dstack.crash()
        node.service.wait_for("connection_refused")
    return node.service


def _shoot(node: SimulatedNode, service: Service, folder: Path, shot: Shot) -> None:
    page = node.open(
        service=service,
        viewport={"width": shot.width, "height": shot.height or 800},
        color_scheme=shot.scheme,
        locale=shot.locale,
    )
    page.wait_for_timeout(SETTLE)
    page.screenshot(path=folder / f"{shot.name}.png", full_page=shot.height is None)


if __name__ == "__main__":
    take(Path(sys.argv[1]), ALL if "all" in sys.argv else README)
