"""The processes that listen on a TCP port of this machine, from Linux's /proc."""

import contextlib
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.finding import sanitize

__all__ = ["PortOwner", "port_owners"]

TCP_LISTEN = "0A"
"""The state in the kernel's tcp_states.h."""


class PortOwner(Struct, frozen=True):
    """A process that listens, as far as this user may see it.

    The name is the short one: a command line could contain a token.
    """

    address: ListenAddress
    pid: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        process = f"{self.name} (pid {self.pid})" if self.pid else "a process of another user"
        return f"{process}, on {self.address}"


def port_owners(port: int, root: Path) -> tuple[PortOwner, ...]:
    """Return the processes that listen on a port of any address; `root` is where /proc is."""
    sockets = {inode: host for host, inode in _listening(port, root / "proc/net")}
    processes = _processes(set(sockets), root / "proc") if sockets else {}
    return tuple(
        PortOwner(ListenAddress(str(host), port), *processes.get(inode, (None, None)))
        for inode, host in sockets.items()
    )


def _listening(port: int, tables: Path) -> Iterator[tuple[IPv4Address | IPv6Address, str]]:
    for table in (tables / "tcp", tables / "tcp6"):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            host, _, number = fields[1].partition(":")
            if fields[3] == TCP_LISTEN and int(number, 16) == port:
                yield _address(host), fields[9]


def _address(text: str) -> IPv4Address | IPv6Address:
    """Parse an address: words of 32 bits, each in the machine's byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))


def _processes(inodes: set[str], proc: Path) -> dict[str, tuple[int, str]]:
    """Return pid and name of one process for each socket that this user may see."""
    found: dict[str, tuple[int, str]] = {}
    for descriptor in proc.glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # the process has ended
            inode = str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
            if inode in inodes:
                process = descriptor.parent.parent
                name = sanitize((process / "comm").read_text(errors="replace").strip())
                found[inode] = (int(process.name), name)
    return found
