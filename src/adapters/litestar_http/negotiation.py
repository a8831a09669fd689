"""Content negotiation by `Accept` and `Accept-Language` (RFC 9110, section 12).

What cannot be parsed is ignored: no header makes a request fail.
"""

import re
from collections.abc import Iterable, Mapping

__all__ = ["preferred_language", "prefers_html", "prefers_openmetrics"]

_QUALITY = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.ASCII)
_PREFERS_HTML = {
    **dict.fromkeys(("text/html", "text/*"), True),
    **dict.fromkeys(("application/json", "application/*", "*/*"), False),
}
_PREFERS_OPENMETRICS = {
    "application/openmetrics-text": True,
    **dict.fromkeys(("text/plain", "text/*", "*/*"), False),
}

MAX_RANGES = 64
"""The rest of a longer header is not read."""


def prefers_html(accept: str) -> bool:
    """Return whether HTML comes before JSON. `*/*` means JSON."""
    return _first_match(accept, _PREFERS_HTML)


def prefers_openmetrics(accept: str) -> bool:
    """Return whether OpenMetrics, of any version, comes before Prometheus's text format."""
    return _first_match(accept, _PREFERS_OPENMETRICS)


def preferred_language(accept_language: str, languages: Iterable[str]) -> str | None:
    """Return the preferred one of some languages; `None` where none matches. `zh-TW` is `zh`."""
    known = frozenset(languages)
    names = (name.partition("-")[0] for name in _ranked(accept_language))
    return next((name for name in names if name in known), None)


def _first_match(accept: str, preferences: Mapping[str, bool]) -> bool:
    return next((preferences[name] for name in _ranked(accept) if name in preferences), False)


def _ranked(header: str) -> list[str]:
    """Return the accepted names, those of the highest quality first."""
    found: list[tuple[float, str]] = []
    for part in header.lower().split(",", MAX_RANGES)[:MAX_RANGES]:
        quality = _QUALITY.search(part)
        found.append((float(quality[1]) if quality else 1.0, part.partition(";")[0].strip()))
    return [name for quality, name in sorted(found, key=lambda each: -each[0]) if quality]
