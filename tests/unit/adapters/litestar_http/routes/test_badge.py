"""`/badge.svg`: conditions, uptime, languages, hostile names, headers."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.litestar_http.badge import COLORS, Badge, draw
from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, NodeIdentity, Reason
from tests.unit.adapters.litestar_http.harness import (
    AVAILABLE,
    UNAVAILABLE,
    AppClient,
    history_of_day,
)
from tests.unit.adapters.litestar_http.nodes import ONE_LOST, TWO_GPUS, app_after

NODE = NodeIdentity(node="gpu-07")
STALE = CheckFailure(Reason.STALE)
SVG = "{http://www.w3.org/2000/svg}"


def text_of(image: bytes) -> str:
    """Return the title of a badge, which holds its whole text."""
    (title,) = ET.fromstring(image).iter(f"{SVG}title")  # noqa: S314 - our own
    return title.text or ""


def badge(app: AppClient, query: str = "") -> str:
    """Return the text of a badge."""
    response: Any = app.get(f"/badge.svg{query}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/svg+xml"
    return text_of(response.content)


@pytest.mark.parametrize(
    ("result", "english", "chinese"),
    [
        (None, "starting", "正在启动"),
        (AVAILABLE, "available", "可用"),
        (GpuInventory(), "degraded", "降级"),
        (UNAVAILABLE, "unavailable", "不可用"),
        (STALE, "stale", "状态过期"),
    ],
)
def test_badge_names_the_node_and_its_condition(
    result: CheckResult | None, english: str, chinese: str
) -> None:
    """Whatever the status is, with 200: sites show no image of an error."""
    app = AppClient(result, identity=NODE)
    assert badge(app) == badge(app, "?lang=en") == f"gpu-07: {english}"
    assert badge(app, "?lang=zh") == f"gpu-07: {chinese}"


def test_badge_of_a_node_that_lost_a_gpu_is_degraded() -> None:
    """The node is available. Without a name it has that of the service."""
    assert badge(app_after(TWO_GPUS, ONE_LOST)) == "dstack-backend: available"
    assert badge(app_after(TWO_GPUS, ONE_LOST, ONE_LOST)) == "dstack-backend: degraded"


@pytest.mark.parametrize(
    ("up", "color"), [(1.0, "#0a6b3d"), (0.99, "#0a6b3d"), (0.96, "#f5b81f"), (0.9, "#b3261e")]
)
def test_badge_of_the_uptime(up: float, color: str) -> None:
    """The colour is that of the share."""
    app = AppClient(AVAILABLE, identity=NODE, history=history_of_day(up, 1 - up, 0.0))
    assert badge(app, "?window=24h") == f"gpu-07 · uptime 24 hours: {100 * up:g} %"
    assert f'rx="3" fill="{color}"' in app.get("/badge.svg?window=24h").text


def test_badge_of_a_mostly_unknown_time_says_so() -> None:
    """Its colour is never green."""
    app = AppClient(AVAILABLE, identity=NODE, history=history_of_day(0.25, 0.0, 0.75))
    assert badge(app, "?window=24h") == "gpu-07 · uptime 24 hours: 100 %, 75 % unknown"
    assert badge(app, "?window=24h&lang=zh") == "gpu-07 · 24 小时可用率: 100 %\uff0c未知 75 %"
    unknown = AppClient(AVAILABLE, identity=NODE, history=history_of_day(0.0, 0.0, 1.0))
    assert badge(unknown, "?window=24h") == "gpu-07 · uptime 24 hours: Not known"


@pytest.mark.parametrize("query", ["window=1y", "window=", "window=30D", "lang=de"])
def test_invalid_parameters_are_refused(query: str) -> None:
    """With 400 and JSON, which no cache keeps."""
    response = AppClient(AVAILABLE).get(f"/badge.svg?{query}")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


def test_badge_may_be_cached_and_embedded_elsewhere() -> None:
    """For 30 s, and it loads nothing."""
    headers = AppClient(AVAILABLE).get("/badge.svg", Origin="https://wiki.example").headers
    assert headers["cache-control"] == "public, max-age=30"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-security-policy"] == "default-src 'none'"


def test_uptime_of_badges_is_computed_once_for_30_seconds() -> None:
    """For all windows and languages."""
    app = AppClient(AVAILABLE)
    with app.client:
        for window in ("24h", "7d", "30d", "90d"):
            badge(app, f"?window={window}")
            badge(app, f"?window={window}&lang=zh")
    assert app.history.calls == 1


@given(st.text(max_size=80))
def test_no_name_changes_the_structure_of_the_image(name: str) -> None:
    """Neither markup nor characters that XML forbids."""
    image = draw(Badge(name, "available", "available", "en"))
    root = ET.fromstring(image)  # noqa: S314 - our own
    tags = [each.tag.removeprefix(SVG) for each in root.iter()]
    assert tags == ["svg", "title", "rect", "path", "g", "text", "text"]
    assert text_of(image).endswith(": available")


def test_a_long_name_is_cut() -> None:
    """The condition is always visible."""
    app = AppClient(AVAILABLE, identity=NodeIdentity(node="x" * 200))
    assert badge(app) == "x" * 39 + "…: available"
    assert badge(app, "?window=7d").startswith("x" * 39 + "… · uptime 7 days: ")


@pytest.mark.parametrize("look", COLORS)
def test_text_has_enough_contrast(look: str) -> None:
    """4.5:1, as WCAG requires."""
    bright, dark = sorted(map(luminance, COLORS[look]), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def luminance(color: str) -> float:
    """Return the relative luminance of `#rgb` or `#rrggbb`, as WCAG defines it."""
    digits = color[1:] if len(color) == 7 else "".join(2 * each for each in color[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
