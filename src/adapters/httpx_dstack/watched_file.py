"""The one rule for files that are named in a setting: a file that changes is read again.

While the new content cannot be used, the last good one is: replacing a file may take two steps. The
content is compared, and not the time of the file, which a change within one tick leaves the same.
"""

import logging
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["WatchedFile"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """A value that is loaded from a file."""

    def __init__(self, path: Path, name: str, largest: int, load: Callable[[bytes], T]) -> None:
        """Read the file for the first time.

        Args:
            path: The file.
            name: What it holds, for the log: `token`.
            largest: Bytes that it may have.
            load: Returns the value for a content, or raises `ValueError`.

        Raises:
            ValueError: The file cannot be used. The message repeats nothing of it.
        """
        self._path = path
        self._name = name
        self._largest = largest
        self._load = load
        self._content = self._read()
        self._value = load(self._content)
        self._is_usable = True

    def value(self) -> T:
        """Return the value for the present content."""
        try:
            content = self._read()
            if content != self._content:
                self._value = self._load(content)
                self._content = content
        except ValueError as exc:
            if self._is_usable:
                _log.warning("the %s file %s; the last %s is used", self._name, exc, self._name)
            self._is_usable = False
        else:
            if not self._is_usable:
                _log.info("the %s file can be read again", self._name)
            self._is_usable = True
        return self._value

    def _read(self) -> bytes:
        try:
            # A pipe or a device could block or never end.
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise ValueError("is not a regular file")
            with self._path.open("rb") as file:
                content = file.read(self._largest + 1)
        except OSError as exc:
            raise ValueError(f"cannot be read ({(exc.strerror or 'failed').lower()})") from None
        if len(content) > self._largest:
            raise ValueError(f"holds more than {self._largest // 1024} KiB")
        return content
