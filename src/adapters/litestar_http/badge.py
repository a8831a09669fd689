"""An SVG badge: a label and a message in one line, for a README or a wiki. No file besides it."""

from html import escape
from unicodedata import east_asian_width

from msgspec import Struct

__all__ = ["COLORS", "MAX_NAME", "Badge", "draw"]

MAX_NAME = 40
"""Characters of a node's name."""

COLORS = {
    "available": ("#0a6b3d", "#fff"),
    "degraded": ("#f5b81f", "#2b1d00"),
    "unavailable": ("#b3261e", "#fff"),
    "unknown": ("#8a5a00", "#fff"),
}
"""Ground and text by look: the colours of the page."""

_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!()[] "), frozenset("mwMW@%—")

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" '
    'viewBox="0 0 {width} 20" role="img" aria-label="{title}" xml:lang="{language}">'
    "<title>{title}</title>"
    '<rect width="{width}" height="20" rx="3" fill="{ground}"/>'
    '<path d="M3 0h{inner}v20h-{inner}a3 3 0 0 1-3-3v-14a3 3 0 0 1 3-3z" fill="#333a45"/>'
    '<g font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">'
    '<text x="{label_x}" y="14" textLength="{label_length}" fill="#fff">{label}</text>'
    '<text x="{message_x}" y="14" textLength="{message_length}" fill="{ink}">{message}</text>'
    "</g></svg>\n"
)


class Badge(Struct, frozen=True):
    """What a badge shows.

    Attributes:
        label: The left part.
        message: The right part.
        look: The colour of the right part, a key of `COLORS`.
        language: Language of both, as HTML names it.
    """

    label: str
    message: str
    look: str
    language: str


def draw(badge: Badge) -> bytes:
    """Return the SVG document. Its texts are escaped; what is not printable is left out."""
    label = "".join(each for each in badge.label if each.isprintable())
    ground, ink = COLORS[badge.look]
    # The length is prescribed, so the text fits in whatever font the reader has.
    label_length, message_length = _length(label), _length(badge.message)
    left = label_length + 12
    svg = _SVG.format(
        width=left + message_length + 12,
        inner=left - 3,
        label=escape(label),
        label_x=left / 2,
        label_length=label_length,
        message=escape(badge.message),
        message_x=left + message_length / 2 + 6,
        message_length=message_length,
        title=escape(f"{label}: {badge.message}"),
        language=badge.language,
        ground=ground,
        ink=ink,
    )
    return svg.encode(errors="replace")


def _length(text: str) -> int:
    """Return about how many pixels a text of 11 px is long in Verdana."""
    return round(sum(map(_advance, text)))


def _advance(char: str) -> float:
    if char in _NARROW:
        return 4.3
    if east_asian_width(char) in "WF":
        return 11.0
    return 10.0 if char in _WIDE else 7.6 if char.isupper() else 6.6
