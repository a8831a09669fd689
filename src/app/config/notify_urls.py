"""The addresses that get messages. They contain secrets: no error repeats any of them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from dstack_backend.app.config.parsers import parse_path

__all__ = ["NotifyUrls", "parse_urls", "parse_urls_file"]

MAX_FILE = 64 * 1024  # bytes

_SCHEME = "[A-Za-z][A-Za-z0-9+.-]*://"
_SEPARATOR = rf"[\s,]+(?={_SCHEME})"


class NotifyUrls(NamedTuple):
    """Addresses that get messages, and the setting that they are from. They contain secrets."""

    variable: str = "NOTIFY_URLS"
    urls: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"NotifyUrls({len(self.urls)} addresses)"


def parse_urls(text: str) -> NotifyUrls:
    """Parse addresses with spaces or commas between them. They may themselves contain commas."""
    entries = re.split(_SEPARATOR, text)
    return _notify_urls("NOTIFY_URLS", [each.rstrip(", ") for each in entries] if text else [])


def parse_urls_file(text: str) -> NotifyUrls:
    """Read a file with one address in each line. Lines that begin with # are comments."""
    from dstack_backend.adapters.httpx_dstack.watched_file import (  # noqa: PLC0415 - slow
        WatchedFile,
    )

    def load(content: bytes) -> NotifyUrls:
        lines = (each.strip() for each in content.decode("ascii", "replace").splitlines())
        entries = [each for each in lines if each and not each.startswith("#")]
        if not entries:
            raise ValueError("holds no address")
        for number, entry in enumerate(entries, 1):
            if re.search(_SEPARATOR, entry):
                raise ValueError(f"address {number}: one URL per line")
        return _notify_urls("NOTIFY_URLS_FILE", entries)

    return WatchedFile(parse_path(text), "URLs", MAX_FILE, load).value()


def _notify_urls(variable: str, entries: Sequence[str]) -> NotifyUrls:
    for number, entry in enumerate(entries, 1):
        if not re.fullmatch(rf"{_SCHEME}[!-~]+", entry):
            raise ValueError(f"address {number} is not a URL without spaces, in ASCII")
    return NotifyUrls(variable, tuple(entries))
