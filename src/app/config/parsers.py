"""Parsers of the settings' values. Each raises `ValueError` for a value that cannot be used.

The adapters' own parsers are imported on first use: they load httpx, ssl and more.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import ssl

    from dstack_backend.adapters.httpx_dstack import Bearer, DStackAddress, TokenFile

__all__ = [
    "ListenAddress",
    "check_text",
    "parse_advertised_ip",
    "parse_ca_file",
    "parse_count",
    "parse_dstack_url",
    "parse_host_port",
    "parse_name",
    "parse_one_of",
    "parse_optional",
    "parse_path",
    "parse_pubkeys",
    "parse_seconds",
    "parse_token",
    "parse_token_file",
    "quote",
]

T = TypeVar("T")

MAX_PORT = 65535
MAX_SECONDS = 86400.0
MAX_QUOTED = 40

_QUOTES = "\"'"

_LOOPBACK = {"*": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up
_LABEL = r"[A-Za-z0-9_-]{1,63}"  # as in RFC 1035; Python's look-up raises for a longer one
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_HOST_PORT = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]*)):(?P<port>[0-9]{1,5})"
)


class ListenAddress(NamedTuple):
    """Where a server listens. An IPv6 address has no brackets in `host`.

    `0.0.0.0` is every IPv4 address, `::` every IPv6 address, and `*` every one of both.
    """

    host: str
    port: int

    @property
    def connect_address(self) -> "ListenAddress":
        """The address at which a client on the same machine reaches the server."""
        return ListenAddress(_LOOPBACK.get(self.host, self.host), self.port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_host_port(text: str, min_port: int = 1) -> ListenAddress:
    """Parse `host:port`, `[IPv6]:port` or `*:port`. With `min_port` 0 the port may be 0: any."""
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ValueError(f"{quote(text)} is not host:port")
    ipv6, name, port = match["ipv6"], match["name"], int(match["port"])
    try:
        IPv6Address(ipv6 or "::")
    except ValueError:
        raise ValueError(f"{quote(text)} has no IPv6 address in its brackets") from None
    if not ipv6 and not name:
        raise ValueError(f"{quote(text)} has no host; * is every address")
    if not ipv6 and name != "*" and not _HOST.fullmatch(name):
        raise ValueError(f"{quote(text)} has an invalid host name")
    if not min_port <= port <= MAX_PORT:
        raise ValueError(f"{quote(text)} has a port that is not from {min_port} to {MAX_PORT}")
    return ListenAddress(ipv6 or name, port)


def parse_seconds(minimum: float) -> Callable[[str], float]:
    """Return a parser of seconds, up to one day."""
    limits = f"{minimum:g} to {MAX_SECONDS:g}"

    def parse(text: str) -> float:
        is_number = re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text)
        if not is_number or not minimum <= float(text) <= MAX_SECONDS:
            raise ValueError(f"{quote(text)} is not a number of seconds from {limits}")
        return float(text)

    return parse


def parse_count(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a parser of a whole number."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"{quote(text)} is not a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def check_text(text: str) -> None:
    """Refuse what an env file of Docker or systemd keeps literally, in any setting.

    Raises:
        ValueError: The message repeats nothing of the text, which may be a secret.
    """
    if not text.isprintable():
        raise ValueError(
            "it holds a character that cannot be printed, such as the end of a Windows line"
        )
    if text != text.strip():
        raise ValueError("it starts or ends with a space, which is kept; remove it")
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        raise ValueError("it is in quotes, which are kept; remove them")
    if "${" in text:
        raise ValueError("it holds ${, which is not replaced; write the value itself")


def parse_path(text: str) -> Path:
    """Parse a path. Whether it can be used is checked where it is opened."""
    if text.startswith("~") or "$" in text:
        raise ValueError("a path with ~ or $ is kept as it is; write the whole path")
    if " #" in text or any(each in text for each in _QUOTES):
        raise ValueError("a path with quotes or a comment is kept as it is; write the path alone")
    return Path(text)


def parse_name(text: str) -> str:
    """Return the name of a node: letters, digits, spaces and `._-()`, at most 64; may be empty."""
    if not re.fullmatch(r"[\w .()-]{0,64}", text) or text != text.strip():
        raise ValueError(
            f"{quote(text)} is not a name of letters, digits, ._-() and spaces between, up to 64"
        )
    return text


def parse_one_of(*values: str) -> Callable[[str], str]:
    """Return a parser of a fixed set of words, in either case."""

    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"{quote(text)} is not one of {', '.join(values)}")
        return text.lower()

    return parse


def parse_optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a parser that returns `None` for an empty text."""
    return lambda text: parse(text) if text else None


def parse_dstack_url(text: str) -> "DStackAddress":
    """Parse DStack's address."""
    from dstack_backend.adapters.httpx_dstack import parse_address  # noqa: PLC0415 - slow

    address = parse_address(text)
    parse_path(address.socket or "")
    return address


def parse_token(text: str) -> "Bearer":
    """Parse a bearer token."""
    from dstack_backend.adapters.httpx_dstack import Bearer, usable_token  # noqa: PLC0415 - slow

    return Bearer(usable_token(text))


def parse_token_file(text: str) -> "TokenFile":
    """Read a token file for the first time."""
    from dstack_backend.adapters.httpx_dstack import TokenFile  # noqa: PLC0415 - slow

    return TokenFile(parse_path(text))


def parse_ca_file(text: str) -> "Callable[[], ssl.SSLContext]":
    """Load the certificates to trust for the first time."""
    from dstack_backend.adapters.httpx_dstack import ssl_contexts  # noqa: PLC0415 - slow

    return ssl_contexts(parse_path(text))


def parse_pubkeys(text: str) -> tuple[str, ...]:
    """Parse public keys with commas between them."""
    from dstack_backend.adapters.nostr_keys import public_keys  # noqa: PLC0415 - slow

    return public_keys(text)


def parse_advertised_ip(text: str) -> str:
    """Parse the node's address."""
    from dstack_backend.adapters.ip_address import advertised_address  # noqa: PLC0415 - slow

    return advertised_address(text)


def quote(text: str) -> str:
    """Return a value that is no secret for a message: printable, on one line, at most 40 long."""
    return ascii(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "...")
