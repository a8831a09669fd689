"""Credentials for DStack. Its token gives full control of the VMM: none is shown anywhere."""

import base64
import re
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from dstack_backend.adapters.httpx_dstack.watched_file import WatchedFile

__all__ = ["Basic", "Bearer", "Credentials", "TokenFile", "usable_token"]

LARGEST_TOKEN_FILE = 16 * 1024
"""Bytes."""

# RFC 6750 allows fewer characters; each of these fits a header.
_TOKEN = re.compile(r"[!-~]+")


class Credentials(Protocol):
    """Makes the Authorization header."""

    def header(self) -> str:
        """Return the value of the header for the next request."""
        ...


class Bearer(Struct, frozen=True):
    """A fixed token."""

    token: str

    def header(self) -> str:
        """Return the value of the header (RFC 6750)."""
        return f"Bearer {self.token}"

    def __repr__(self) -> str:
        return "Bearer(...)"


class Basic(Struct, frozen=True):
    """A user and a password."""

    user: str
    password: str

    def header(self) -> str:
        """Return the value of the header (RFC 7617, UTF-8)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return "Basic(...)"


class TokenFile:
    """A token in a file that may be replaced at any time."""

    def __init__(self, path: Path) -> None:
        """Read the token for the first time.

        Raises:
            ValueError: The file holds no usable token. The message repeats nothing of it.
        """
        self._token = WatchedFile(path, "token", LARGEST_TOKEN_FILE, _token)

    def header(self) -> str:
        """Return the value of the header with the token in the file."""
        return f"Bearer {self._token.value()}"


def _token(content: bytes) -> str:
    return usable_token(content.decode("ascii", "replace").strip())


def usable_token(token: str) -> str:
    """Return the token if it can be used.

    Raises:
        ValueError: It is empty or does not fit into a header. The message repeats nothing of it.
    """
    if not token:
        raise ValueError("holds no token")
    if len(token) > 1 and token[0] == token[-1] and token[0] in "\"'":
        raise ValueError("holds a token in quotes, which are kept; remove them")
    if not _TOKEN.fullmatch(token):
        raise ValueError("holds a space or a character other than printable ASCII")
    return token
