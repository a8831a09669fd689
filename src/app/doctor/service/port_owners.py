"""The processes that listen on a TCP port of this machine, from Linux's /proc."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from dstack_backend.app.config.settings import ListenAddress
from dstack_backend.app.doctor.finding import sanitize

__all__ = ["port_owners"]

TCP_LISTEN = "0A"  # the state in the kernel's tcp_states.h


def port_owners(port: int, root: Path) -> dict[ListenAddress, str]:
    """Return a process for each address where one listens on a port; `root` is where /proc is."""
    sockets = _listening(port, root / "proc/net")
    return {address: _process(inode, root / "proc") for address, inode in sockets}


def _listening(port: int, tables: Path) -> Iterator[tuple[ListenAddress, str]]:
    """Return the address and the inode of each socket."""
    for table in (tables / "tcp", tables / "tcp6"):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            host, _, number = fields[1].partition(":")
            if fields[3] == TCP_LISTEN and int(number, 16) == port:
                yield ListenAddress(_parse_address(host), port), fields[9]


def _parse_address(text: str) -> str:
    """Parse an address: words of 32 bits, each in the machine's byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return str(ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words)))


def _process(inode: str, proc: Path) -> str:
    """Return name and pid of one process that has a socket, as far as this user may see it."""
    for descriptor in proc.glob("[0-9]*/fd/*"):
        with suppress(OSError):  # the process has ended
            if str(descriptor.readlink()) == f"socket:[{inode}]":
                process = descriptor.parent.parent
                # The short name: a command line could contain a token.
                name = sanitize((process / "comm").read_text(errors="replace").strip())
                return f"{name} (pid {process.name})"
    return "a process of another user"
