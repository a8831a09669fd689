"""The contrast of the page's graphics, for every kind of sight. axe looks at text only."""

import re
from itertools import combinations

import pytest

from dstack_backend.adapters.litestar_http.page import assets

MIN_CONTRAST = 3.0
"""Of graphics, by WCAG 2.2, success criterion 1.4.11."""

Matrix = tuple[tuple[float, float, float], ...]

# Linear RGB as it is seen, by Machado, Oliveira and Fernandes (2009). Without any colour only the
# luminance is left, which is what contrast is computed from in the first place.
SIGHTS: dict[str, Matrix] = {
    "trichromacy or grey": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def colours(scheme: str) -> dict[str, str]:
    """Return the custom properties of a scheme: dark has those of light that it does not set."""
    css = assets()["page.css"][0].decode()
    blocks = [dict(re.findall(r"--([\w-]+): (#\w+)", each)) for each in _ROOT.findall(css)]
    return blocks[0] if scheme == "light" else blocks[0] | blocks[1]


_ROOT = re.compile(r":root \{(.*?)\}", re.DOTALL)


def luminance(colour: str, sight: Matrix) -> float:
    """Return the relative luminance of a colour as it is seen."""
    digits = colour.removeprefix("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    shares = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
    seen = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in sight]
    red, green, blue = (min(1.0, max(0.0, each)) for each in seen)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str, sight: Matrix) -> float:
    """Return the contrast of two colours."""
    darker, lighter = sorted((luminance(one, sight), luminance(other, sight)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_of_a_bar_differ_for_every_sight(scheme: str, sight: str) -> None:
    """Unknown time is a line on the card: what differs from it is the card."""
    named, seen = colours(scheme), SIGHTS[sight]
    pairs = [*combinations(("up", "down", "card"), 2), ("unknown", "card")]
    found = {pair: contrast(named[pair[0]], named[pair[1]], seen) for pair in pairs}
    assert min(found.values()) >= MIN_CONTRAST, found


def test_contrast_is_that_of_the_standard() -> None:
    """Black on white has 21, and a colour none with itself."""
    sight = SIGHTS["trichromacy or grey"]
    assert contrast("#000", "#fff", sight) == pytest.approx(21)
    assert contrast("#777777", "#777", sight) == 1
