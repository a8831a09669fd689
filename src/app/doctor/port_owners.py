"""Who listens on a TCP port of this machine, as Linux tells in /proc."""

import contextlib
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.doctor.finding import sanitize

__all__ = ["PortOwner", "port_owners"]

LISTENING = "0A"
"""TCP_LISTEN of the kernel's tcp_states.h."""

V4_LENGTH = 4


class PortOwner(Struct, frozen=True):
    """Who listens.

    Attributes:
        address: Where, as `host:port`.
        pid: The process; `None` where we may not see whose socket it is.
        name: Its short name; its command line could hold a token.
    """

    address: str
    pid: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return f"a process that we may not see, on {self.address}"
        return f"{self.name} (pid {self.pid}), on {self.address}"


def port_owners(port: int, root: Path) -> tuple[PortOwner, ...]:
    """Give all that listen on the port, whatever their address.

    Args:
        port: The TCP port.
        root: The root of the file system.
    """
    sockets = {inode: host for host, inode in _listening(port, root / "proc/net")}
    owners = _owners(set(sockets), root / "proc") if sockets else {}
    return tuple(
        PortOwner(_shown(host, port), *owners.get(inode, (None, None)))
        for inode, host in sockets.items()
    )


def _listening(port: int, tables: Path) -> Iterator[tuple[IPv4Address | IPv6Address, str]]:
    for table in (tables / "tcp", tables / "tcp6"):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            host, _, number = fields[1].partition(":")
            if fields[3] == LISTENING and int(number, 16) == port:
                yield _address(host), fields[9]


def _address(text: str) -> IPv4Address | IPv6Address:
    """Read an address: words of 32 bits, each in the machine's own order of bytes."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return ip_address(b"".join(word.to_bytes(V4_LENGTH, sys.byteorder) for word in words))


def _shown(host: IPv4Address | IPv6Address, port: int) -> str:
    return f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}"  # noqa: PLR2004 - its name


def _owners(inodes: set[str], proc: Path) -> dict[str, tuple[int, str]]:
    """Give the process of each socket that we may see; of several, one."""
    found: dict[str, tuple[int, str]] = {}
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            for descriptor in (folder / "fd").iterdir():
                inode = _inode(descriptor)
                if inode in inodes:
                    name = sanitize((folder / "comm").read_text(errors="replace").strip())
                    found[inode] = (int(folder.name), name)
    return found


def _inode(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink()).removeprefix("socket:[").rstrip("]")
    except OSError:
        return ""
