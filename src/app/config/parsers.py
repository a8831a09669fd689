"""The values of settings: how each is read from its text. A bad one raises `ValueError`."""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

__all__ = [
    "ListenAddress",
    "days",
    "folder",
    "listen_address",
    "one_of",
    "optional",
    "parse_host_port",
    "quote",
    "seconds",
    "switch",
    "threshold",
]

T = TypeVar("T")

HIGHEST_PORT = 65535
SHORTEST_INTERVAL = 0.1
LONGEST_INTERVAL = 86400.0
HIGHEST_THRESHOLD = 1000
LONGEST_RETENTION = 3650


_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a service on all of them is met


class ListenAddress(Struct, frozen=True):
    """Where the service answers.

    Attributes:
        host: An address or a name, an IPv6 address without brackets.
        port: The TCP port.
    """

    host: str
    port: int

    @property
    def connect_address(self) -> "ListenAddress":
        """Where one who listens there is met from the same machine."""
        return ListenAddress(_ANY.get(self.host, self.host), self.port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


_LABEL = r"[A-Za-z0-9_-]{1,63}"
"""A part of a name between two dots (RFC 1035); Python's look-up raises where one is longer."""

_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


def listen_address(text: str) -> ListenAddress:
    """Parse `host:port` or `[IPv6]:port`."""
    return parse_host_port(text)


def parse_host_port(text: str, min_port: int = 1) -> ListenAddress:
    """Parse `host:port` or `[IPv6]:port`. With `min_port` 0 the port may be 0: any free one."""
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ValueError(f"{quote(text)} is not host:port")
    host = match["v6"] or match["host"]
    if not host:
        raise ValueError(f"{quote(text)} names no host; 0.0.0.0 is all of them")
    if match["v6"] and not _is_ipv6(host):
        raise ValueError(f"{quote(text)} has no IPv6 address in its brackets")
    if not match["v6"] and not re.fullmatch(r"[A-Za-z0-9_.-]+", host):
        raise ValueError(f"{quote(text)} has a character that no host name has")
    if not match["v6"] and not _HOST.fullmatch(host):
        raise ValueError(f"{quote(text)} has a name with a part that is empty or too long")
    port = int(match["port"])
    if not min_port <= port <= HIGHEST_PORT:
        limits = f"between {min_port} and {HIGHEST_PORT}"
        raise ValueError(f"{quote(text)} has a port that is not {limits}")
    return ListenAddress(host, port)


def seconds(text: str) -> float:
    """Read a number of seconds, in a range that makes sense for checks."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text):
        raise ValueError(f"{quote(text)} is not a number of seconds")
    if not SHORTEST_INTERVAL <= float(text) <= LONGEST_INTERVAL:
        raise ValueError(
            f"{quote(text)} is not between {SHORTEST_INTERVAL:g} and {LONGEST_INTERVAL:g} seconds"
        )
    return float(text)


def threshold(text: str) -> int:
    """Read how many results in a row turn a status."""
    return _whole_number(text, HIGHEST_THRESHOLD, "")


def days(text: str) -> timedelta:
    """Read a number of days."""
    return timedelta(days=_whole_number(text, LONGEST_RETENTION, " of days"))


def folder(text: str) -> Path:
    """Read a folder's path; whether it can be used is seen later."""
    if "\0" in text:
        raise ValueError(f"{quote(text)} is not a path")
    return Path(text)


def switch(on: str, off: str) -> Callable[[str], bool]:
    """Make what reads one of two words."""
    return lambda text: one_of(on, off)(text) == on


def one_of(*values: str) -> Callable[[str], str]:
    """Make what reads one of some words, in either case."""

    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"{quote(text)} is not one of {', '.join(values)}")
        return text.lower()

    return parse


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Make what reads a value that may be missing."""
    return lambda text: parse(text) if text else None


def _whole_number(text: str, highest: int, unit: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= highest:
        raise ValueError(f"{quote(text)} is not a whole number{unit} from 1 to {highest}")
    return int(text)


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6  # noqa: PLR2004 - its name
    except ValueError:
        return False


def quote(text: str) -> str:
    """Return a value that is no secret for a message: printable, on one line, at most 40 long."""
    longest = 40
    short = text if len(text) <= longest else text[:longest] + "..."
    return ascii(short)
