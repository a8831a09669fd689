"""The address of DStack: `http://`, `https://`, `unix:/path` or `unix:///path`."""

import re

import httpx
from msgspec import Struct

from dstack_backend.adapters.httpx_dstack.credentials import Basic

__all__ = ["DStackAddress", "parse_address"]

METHOD_PATH = b"/prpc/ListGpus?json"

LONGEST_SOCKET_PATH = 107
"""Bytes: 108 with the closing NUL (unix(7))."""

HIGHEST_PORT = 65535

# httpx accepts a port with a sign and in the digits of every script.
_AUTHORITY = re.compile(r"[^/]*//(?:[^/]*@)?(?:\[[^/]*\]|[^/:]*)(?::[0-9]*)?(?:/|$)")

_ODD = "a space, a quote, or a character that cannot be printed"
# RFC 6874 writes the zone of `fe80::1` after `%25`; most programs write and accept it after `%`.
_ZONE = re.compile(r"([^/]*//(?:[^/]*@)?\[[0-9A-Fa-f:.]+)%(?:25)?([A-Za-z0-9._~-]+)\]")

# `http://[$(HOST_IP)]:19060` is what the manifest of a Pod can say for both families.
_IPV4_IN_BRACKETS = re.compile(
    r"\A([^/]*//(?:[^/]*@)?)\[([0-9]+(?:\.[0-9]+){3})\](?=(?::[0-9]*)?(?:/|\Z))"
)

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")


class DStackAddress(Struct, frozen=True, kw_only=True):
    """A parsed address.

    Attributes:
        url: The URL of ListGpus, without user and password.
        host: The host to connect to, in ASCII. An IPv6 address may have a zone: `fe80::1%eth0`.
        port: Its TCP port.
        socket: The path of the unix socket; `None` for TCP.
        login: User and password in the address; `None` where it holds none.
        shown: The address for people, without user and password.
    """

    url: str
    host: str
    port: int
    socket: str | None
    login: Basic | None
    shown: str

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("https:")

    @property
    def tls_name(self) -> str:
        """The name or address that a certificate must be for.

        A zone is of this machine only, and a final dot is not part of a name (RFC 6066).
        """
        return self.host.partition("%")[0].removesuffix(".")


def parse_address(text: str) -> DStackAddress:
    """Parse an address.

    Raises:
        ValueError: It is not one. The message repeats nothing of it, as it may hold a password.
    """
    scheme, _, rest = text.partition(":")
    if scheme.lower() == "unix":
        return _parse_unix(rest)
    return _parse_http(text)


def _parse_unix(rest: str) -> DStackAddress:
    path = rest.removeprefix("//")
    if not path.startswith("/"):
        raise ValueError("the path of the socket is not absolute")
    if not path.isprintable():
        raise ValueError("the path of the socket holds a character that cannot be printed")
    if len(path.encode()) > LONGEST_SOCKET_PATH:
        raise ValueError(f"the path of the socket is longer than {LONGEST_SOCKET_PATH} bytes")
    url = "http://localhost" + METHOD_PATH.decode()
    return DStackAddress(
        url=url, host="localhost", port=80, socket=path, login=None, shown=f"unix:{path}"
    )


def _split_zone(text: str) -> tuple[str, str]:
    """Return the address without the zone of its host, and the zone with a `%` before it."""
    match = _ZONE.match(text)
    return (f"{match[1]}]{text[match.end() :]}", f"%{match[2]}") if match else (text, "")


def _parse_http(text: str) -> DStackAddress:
    if any(char.isspace() or not char.isprintable() or char in "\"'" for char in text):
        raise ValueError(f"it holds {_ODD}; write it in its encoded form, such as %27")
    text = _IPV4_IN_BRACKETS.sub(r"\1\2", text)
    text, zone = _split_zone(text)
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        # Not chained: the library's text repeats parts of the address.
        raise ValueError("it is not a URL") from None
    if url.scheme not in ("http", "https"):
        raise ValueError("it starts with none of http://, https:// and unix:")
    if not host:
        raise ValueError("it names no host")
    if "%" in host or (":" not in host and not _HOST_NAME.fullmatch(host)):
        raise ValueError("its host is neither a name nor an address")
    if url.port is not None and not 0 < url.port <= HIGHEST_PORT:
        raise ValueError(f"its port is not between 1 and {HIGHEST_PORT}")
    if url.query or "?" in text or url.fragment or "#" in text:
        raise ValueError("it holds a ? or a #; only a path may follow the host")
    if not _AUTHORITY.match(text):
        raise ValueError(f"its port is not between 1 and {HIGHEST_PORT}")
    if b"@" in url.raw_path:
        raise ValueError("it holds an @ after the host; in a password write / as %2F and @ as %40")
    login = Basic(url.username, url.password) if url.userinfo else None
    bare = url.copy_with(userinfo=b"")
    method = bare.copy_with(raw_path=bare.raw_path.rstrip(b"/") + METHOD_PATH)
    return DStackAddress(
        url=str(method),
        host=host + zone,
        port=url.port or (443 if url.scheme == "https" else 80),
        socket=None,
        login=login,
        shown=str(bare).replace("]", f"{zone}]", 1).rstrip("/"),
    )
