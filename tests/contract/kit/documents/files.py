"""The documents, and their parts."""

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DOCUMENTS", "ROOT", "blocks", "inline_code", "without_blocks"]

ROOT = Path(__file__).parents[4]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and content of each block."""
    return _BLOCK.findall(text)


def without_blocks(text: str, mark: str = "") -> str:
    """Return the text with a mark instead of each block."""
    return re.sub(r"^```.*?^```", mark, text, flags=re.MULTILINE | re.DOTALL)


def inline_code(text: str) -> Iterator[str]:
    """Return each piece of code outside blocks, in one line."""
    for _, code in re.findall(r"(`+)(.+?)\1", without_blocks(text), re.DOTALL):
        yield re.sub(r"\s+", " ", code)
