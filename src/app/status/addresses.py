"""The addresses of nodes, from the command line and from a file."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from dstack_backend.app.config.parsers import ListenAddress, parse_host_port
from dstack_backend.app.config.table import LISTEN_ADDR, read_setting
from dstack_backend.app.errors import UserError

__all__ = ["MAX_NODES", "NodeAddress", "parse_address", "read_addresses"]

MAX_NODES = 256
"""Each takes up to two connections, and a process may often open 1024 files only."""

MAX_FILE = 1024 * 1024
MAX_ADDRESS = 1000

_PORTS = {"http": 80, "https": 443}
_SERVICE_PORT = 8080
_EXAMPLE = "gpu-01:8080"


class NodeAddress(Struct, frozen=True):
    """Where a node's service listens.

    Attributes:
        url: Its URL, which may contain a password.
        shown: The URL without user and password.
        name: The address in short, for a node that does not tell its name.
    """

    url: str
    shown: str
    name: str


def read_addresses(
    environ: Mapping[str, str], options: Mapping[str, str]
) -> tuple[NodeAddress, ...]:
    """Return the addresses of the options, each once; without any, that of the local service.

    Raises:
        UserError: One of them cannot be used. The text repeats none of them.
    """
    given = options["urls"].split("\n") if "urls" in options else []
    lines = [(f"address {number}", text) for number, text in enumerate(given, 1)]
    if "file" in options:
        lines += _read_file(options["file"])
    if not lines:
        listen = read_setting(LISTEN_ADDR, environ, options).connect_address
        return (parse_address(str(listen)),)
    found = tuple(dict.fromkeys(_parse_lines(lines)))
    if len(found) > MAX_NODES:
        fault = f"more than {MAX_NODES} addresses; for so many nodes use Prometheus"
        raise UserError("status", fault)
    return found


def parse_address(text: str) -> NodeAddress:
    """Parse `http(s)://host`, `host:port` or `host`, each with a path prefix or without one.

    A host alone has the port 8080, a URL without a port that of its scheme.

    Raises:
        ValueError: It is not an address. The message repeats nothing of it.
    """
    if len(text) > MAX_ADDRESS or not text.isprintable() or set(text) & set("\"'<>\\ #?"):
        raise ValueError("it has a character that no address has, or is too long")
    has_scheme = "://" in text
    parts = _split(text if has_scheme else f"http://{_bracketed(text)}")
    default_port = _PORTS[parts.scheme] if has_scheme else _SERVICE_PORT
    address = _host_port(parts, default_port)
    host = str(address).removesuffix(f":{address.port}")
    path = parts.path.rstrip("/")
    login = parts.netloc.rpartition("@")[0]
    shown = f"{parts.scheme}://{address}{path}"
    url = f"{parts.scheme}://{login}@{address}{path}" if login else shown
    port = "" if address.port in (default_port, _SERVICE_PORT) else f":{address.port}"
    return NodeAddress(url, shown, f"{host}{port}{path}")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme not in _PORTS:
        raise ValueError("it starts with neither http:// nor https://")
    return parts


def _host_port(parts: SplitResult, default_port: int) -> ListenAddress:
    try:
        host, port = parts.hostname or "", parts.port
        shown = f"[{host}]" if ":" in host else host
        if host == "*" or parts.netloc.endswith(":"):
            raise ValueError("for a server, or without a port")  # noqa: TRY301 - replaced below
        return parse_host_port(f"{shown}:{default_port if port is None else port}")
    except ValueError:
        raise ValueError("its host or its port is invalid") from None


def _bracketed(text: str) -> str:
    """Return an IPv6 address alone in the brackets that it has in a URL."""
    try:
        return f"[{IPv6Address(text)}]"
    except ValueError:
        return text


def _read_file(name: str) -> list[tuple[str, str]]:
    """Return the lines of a file that are not empty, each with the subject of its errors."""
    try:
        with Path(name).open("rb") as file:
            lines = file.read(MAX_FILE).decode("utf-8-sig").splitlines()
    except OSError as exc:
        raise UserError("--file", f"cannot be read: {(exc.strerror or 'failed').lower()}") from None
    except UnicodeDecodeError:
        raise UserError("--file", "is not a text in UTF-8") from None
    except ValueError:
        raise UserError("--file", "is not a path") from None  # a zero byte
    texts = [line.partition("#")[0].strip() for line in lines]
    found = [(f"--file, line {number}", text) for number, text in enumerate(texts, 1) if text]
    if not found:
        raise UserError("--file", "contains no address")
    return found


def _parse_lines(lines: Iterable[tuple[str, str]]) -> Iterable[NodeAddress]:
    for subject, text in lines:
        try:
            yield parse_address(text)
        except ValueError as exc:
            raise UserError(subject, str(exc), _EXAMPLE) from None
