"""The page's texts in each language, from the files in `languages/`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from dstack_backend.domain.check import Reason
from dstack_backend.domain.history import GapCause

__all__ = ["LANGUAGES", "Explanation", "Translation", "translation"]

LANGUAGES = ("en", "zh")
"""The first is the default."""


class Explanation(Struct, frozen=True, forbid_unknown_fields=True):
    """What a code means for people. Parts between backticks are code.

    Attributes:
        name: A few words.
        meaning: What happened.
        remedies: What to do, the most likely first.
    """

    name: str
    meaning: str = ""
    remedies: tuple[str, ...] = ()


class Translation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All texts of one language.

    Attributes:
        html_language: The language as HTML names it.
        strings: Texts by name.
        units: How a number of each unit of time is written; see `domain.formatting`.
        reasons: Names hold for any source; meanings and remedies are about DStack.
        no_gpus: About an empty list of GPUs; likewise.
        missing_gpus: About missing GPUs; likewise. `SLOT` in its remedies stands for their slots.
        gaps: By cause.
    """

    html_language: str
    strings: Mapping[str, str]
    units: Mapping[str, str]
    reasons: Mapping[Reason, Explanation]
    no_gpus: Explanation
    missing_gpus: Explanation
    gaps: Mapping[GapCause, Explanation]

    @property
    def language(self) -> str:
        """The language as `LANGUAGES` names it."""
        return self.html_language.partition("-")[0]


@cache
def translation(language: str) -> Translation:
    """Return the texts of a language. Its file is read once."""
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Translation)
