"""Credentials for DStack. Its token gives full control of the VMM: none is shown anywhere."""

import base64
import logging
import re
import stat
from pathlib import Path
from typing import Protocol

from msgspec import Struct

__all__ = ["Basic", "Bearer", "Credentials", "TokenFile", "usable_token"]

_log = logging.getLogger(__name__)

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
    """A token in a file that is read for each request, so that it can be replaced at any time.

    While the file cannot be read, the last token is used: replacing a file may take two steps.
    """

    def __init__(self, path: Path) -> None:
        """Read the token for the first time.

        Raises:
            ValueError: The file holds no usable token. The message repeats nothing of it.
        """
        self._path = path
        self._token = self._read()
        self._readable = True

    def header(self) -> str:
        """Return the value of the header with the token in the file."""
        try:
            self._token = self._read()
        except ValueError as exc:
            if self._readable:
                _log.warning("the token file %s; the last token is used", exc)
            self._readable = False
        else:
            if not self._readable:
                _log.info("the token file can be read again")
            self._readable = True
        return f"Bearer {self._token}"

    def _read(self) -> str:
        try:
            # A pipe or a device could block or never end.
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise ValueError("is not a regular file")
            with self._path.open("rb") as file:
                content = file.read(LARGEST_TOKEN_FILE + 1)
        except OSError as exc:
            raise ValueError(f"cannot be read ({(exc.strerror or 'failed').lower()})") from None
        if len(content) > LARGEST_TOKEN_FILE:
            raise ValueError(f"holds more than {LARGEST_TOKEN_FILE // 1024} KiB, which is no token")
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
