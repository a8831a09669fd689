"""What the options of `simulate` mean; each that cannot be used is told in one line."""

import contextlib
import errno
import os
import re
import socket
import stat
from collections.abc import Generator, Mapping
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.simulate.script import parse, shown

__all__ = ["LISTEN", "OptionError", "Plan", "blaming", "read", "why"]

LISTEN = "127.0.0.1:19060"
"""DStack's port in its guides, for this machine alone."""

OPTIONS = ("listen", "script", "list-faults")

DIRECTIONS = ("gpus", "free", "product-id", "token", "latency", "fault")
"""The options that are lines of the script, followed in this order before it listens."""

HIGHEST_PORT = 65535
LARGEST_SCRIPT = 1024 * 1024


class OptionError(Exception):
    """An option that cannot be used. Its text is one line for the person who gave it."""


class Plan(Struct, frozen=True):
    """What the options ask for.

    Attributes:
        first: Lines that are followed before it listens.
        place: Where it listens: a socket's path, or host and port.
        script: Lines that are followed from then on; `None`: those of standard input.
    """

    first: tuple[str, ...]
    place: Path | tuple[str, int]
    script: tuple[str, ...] | None


def read(options: Mapping[str, str]) -> Plan:
    """Read the options, by their names without dashes before them.

    Raises:
        OptionError: One of them cannot be used.
    """
    for name in options.keys() - {*OPTIONS, *DIRECTIONS}:
        shown_name = name.lower().replace("_", "-")
        raise OptionError(f"--{shown_name}: it is the service's, simulate has no such option")
    given = [name for name in DIRECTIONS if name in options]
    for name in given:
        with blaming(f"--{name}"):
            parse(f"{name} {options[name]}")
    with blaming("--listen"):
        place = _place(options.get("listen", LISTEN))
    with blaming("--script"):
        script = _script(options.get("script"))
    return Plan(tuple(f"{name} {options[name]}" for name in given), place, script)


def _place(text: str) -> Path | tuple[str, int]:
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:").removeprefix("//"))
        if not path.is_absolute():
            raise ValueError("the path of the socket is not absolute, as in unix:/tmp/vmm.sock")
        return path
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})", text)
    if not match or int(match[3]) > HIGHEST_PORT:
        raise ValueError(f"{shown(text)} is neither host:port, as in {LISTEN}, nor unix:/path")
    return match[1] or match[2], int(match[3])


def _script(name: str | None) -> tuple[str, ...] | None:
    """Read a file's lines; all of them are understood before the first is followed."""
    if name == "-":
        return None
    if name is None:
        return ()
    if not stat.S_ISREG(Path(name).stat().st_mode):
        raise ValueError("it is no regular file; - reads standard input, line by line")
    with Path(name).open("rb") as file:
        lines = file.read(LARGEST_SCRIPT).decode(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        with blaming(f"--script, line {number}"):
            parse(line)
    return tuple(lines)


@contextlib.contextmanager
def blaming(what: str) -> Generator[None]:
    """Turn what goes wrong inside into an `OptionError` that begins with `what`."""
    try:
        yield
    except (OSError, ValueError) as exc:
        raise OptionError(f"{what}: {why(exc)}") from None


def why(exc: OSError | ValueError) -> str:
    """Say what is wrong; asyncio's own texts are long and repeat the address."""
    if isinstance(exc, (socket.gaierror, UnicodeError)):
        return "host not found"
    if isinstance(exc, OSError) and exc.errno:
        return os.strerror(exc.errno).lower()
    if str(exc).startswith("could not bind"):  # asyncio's, without a number, from Python 3.13 on
        return os.strerror(errno.EADDRNOTAVAIL).lower()
    return str(exc)
