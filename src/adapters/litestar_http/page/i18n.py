"""What the page says, in each language; the texts stand in `languages/`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from dstack_backend.domain.check import Reason

__all__ = ["LANGUAGES", "Advice", "Translation", "translation"]

LANGUAGES = ("en", "zh")
"""The first one is for whoever asks for none of them."""


class Advice(Struct, frozen=True, forbid_unknown_fields=True):
    """What there is to say about a reason. Code stands between backticks.

    Attributes:
        name: A few words.
        meaning: What has happened.
        cures: What to do, what is most likely first.
    """

    name: str
    meaning: str
    remedies: tuple[str, ...]


class Translation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All texts of one language.

    Attributes:
        html_language: What the page says of its language.
        words: Texts by their names; all languages have the same names.
        advice: What there is to say about each reason.
        no_gpus: What there is to say about an empty list of GPUs.
    """

    html_language: str
    words: Mapping[str, str]
    advice: Mapping[Reason, Advice]
    no_gpus: Advice


@cache
def translation(language: str) -> Translation:
    """Give the texts of one of the languages; its file is read the first time."""
    file = Path(__file__).parent / "languages" / f"{language}.toml"
    return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Translation)
