"""Content negotiation by `Accept` and `Accept-Language` (RFC 9110, section 12).

What cannot be parsed is ignored: no header makes a request fail.
"""

import re
from collections.abc import Iterable

__all__ = ["preferred_language", "prefers_html"]

_QUALITY = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)

MAX_RANGES = 64
"""The rest of a longer header is not read."""


def prefers_html(accept: str) -> bool:
    """Return whether HTML is preferred to JSON. A tie, as of `*/*`, means JSON."""
    ranges = _parse(accept)
    html, json = (
        _quality(ranges, (kind, f"{kind.partition('/')[0]}/*", "*/*"))
        for kind in ("text/html", "application/json")
    )
    return html > json or (html == json > 0 and ranges[0][0] == "text/html")


def preferred_language(accept_language: str, languages: Iterable[str]) -> str | None:
    """Return the preferred one of some languages; `None` where none matches. `zh-TW` is `zh`."""
    known = frozenset(languages)
    for name, quality in sorted(_parse(accept_language), key=lambda pair: -pair[1]):
        language = name.partition("-")[0]
        if quality and language in known:
            return language
    return None


def _quality(ranges: list[tuple[str, float]], names: tuple[str, ...]) -> float:
    """Return the quality of the first of some names, the most specific first, that is given."""
    qualities = dict(ranges)
    return next((qualities[name] for name in names if name in qualities), 0.0)


def _parse(header: str) -> list[tuple[str, float]]:
    """Return names with their qualities."""
    found: list[tuple[str, float]] = []
    for part in header.split(",", MAX_RANGES)[:MAX_RANGES]:
        name, *parameters = (each.strip() for each in part.split(";"))
        qualities = [match[1] for each in parameters if (match := _QUALITY.fullmatch(each))]
        if name:
            found.append((name.lower(), float(qualities[0]) if qualities else 1.0))
    return found
