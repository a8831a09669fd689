"""What a client likes best, by its `Accept` and `Accept-Language` headers (RFC 9110, section 12).

Whatever a client sends is understood or passed over; no header makes a request fail.
"""

import re
from collections.abc import Iterable

__all__ = ["preferred_language", "prefers_html"]

_QUALITY = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)

MOST_RANGES = 64
"""No client has more wishes; the rest of a longer header is not read."""


def prefers_html(accept: str) -> bool:
    """Say whether a page is liked better than JSON. A tie, as of `*/*`, is for JSON."""
    html, json = (
        _quality(accept, (kind, f"{kind.partition('/')[0]}/*", "*/*"))
        for kind in ("text/html", "application/json")
    )
    return html > json or (html == json > 0 and _first(accept) == "text/html")


def preferred_language(accept_language: str, languages: Iterable[str]) -> str | None:
    """Give the language that is liked best, `None` where none is named; `zh-TW` is `zh`."""
    known = frozenset(languages)
    for wish, quality in sorted(_wishes(accept_language), key=lambda pair: -pair[1]):
        language = wish.partition("-")[0]
        if quality and language in known:
            return language
    return None


def _quality(header: str, names: tuple[str, ...]) -> float:
    """Give the quality of the most specific of some names, which come first."""
    wishes = dict(_wishes(header))
    return next((wishes[name] for name in names if name in wishes), 0.0)


def _first(header: str) -> str:
    return next((wish for wish, _ in _wishes(header)), "")


def _wishes(header: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in header.split(",", MOST_RANGES)[:MOST_RANGES]:
        name, *parameters = (each.strip() for each in part.split(";"))
        qualities = [match[1] for each in parameters if (match := _QUALITY.fullmatch(each))]
        if name:
            found.append((name.lower(), float(qualities[0]) if qualities else 1.0))
    return found
