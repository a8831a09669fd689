"""The options of `simulate`."""

import errno
import os
import socket
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from dstack_backend.app.config.parsers import ListenAddress, parse_host_port
from dstack_backend.app.errors import UserError
from dstack_backend.app.simulate.script import parse_line

__all__ = ["SimulateOptions", "error_text", "parse_options", "user_errors"]

SETUP = ("gpus", "free", "product-id", "token", "latency", "fault")
"""Options that are commands of the script. They run in this order before it listens."""

DEFAULT_LISTEN = "127.0.0.1:19060"  # the port of DStack's guides, for this machine alone
MAX_SOCKET_PATH = 107  # bytes, see unix(7)
MAX_SCRIPT = 1024 * 1024


class SimulateOptions(Struct, frozen=True):
    """What the options mean.

    Attributes:
        setup: Lines of the script that run before it listens.
        script: Lines that run from then on; `None`: those of standard input.
    """

    setup: tuple[str, ...]
    listen: Path | ListenAddress
    script: tuple[str, ...] | None


def parse_options(options: Mapping[str, str]) -> SimulateOptions:
    """Parse the options, by their names without dashes.

    Raises:
        UserError: One of them cannot be used.
    """
    setup = {name: f"{name} {options[name]}" for name in SETUP if name in options}
    for name, line in setup.items():
        with user_errors(f"--{name}"):
            parse_line(line)
    with user_errors("--listen", f"{DEFAULT_LISTEN} or unix:/tmp/vmm.sock"):
        listen = _parse_listen(options.get("listen", DEFAULT_LISTEN))
    with user_errors("--script"):
        script = _read_script(options.get("script"))
    return SimulateOptions(tuple(setup.values()), listen, script)


def _parse_listen(text: str) -> Path | ListenAddress:
    if not text.startswith("unix:"):
        return parse_host_port(text, min_port=0)
    path = Path(text.removeprefix("unix:").removeprefix("//"))
    if not path.is_absolute():
        raise ValueError("the path of the socket is not absolute")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ValueError(f"the path of the socket is longer than {MAX_SOCKET_PATH} bytes")
    return path


def _read_script(name: str | None) -> tuple[str, ...] | None:
    """Read a file's lines, and parse all of them before the first one runs."""
    if name == "-":
        return None
    if name is None:
        return ()
    if not stat.S_ISREG(Path(name).stat().st_mode):
        raise ValueError("not a regular file; use - to read lines from standard input")
    with Path(name).open("rb") as file:
        lines = file.read(MAX_SCRIPT).decode(errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        with user_errors(f"--script, line {number}"):
            parse_line(line)
    return tuple(lines)


@contextmanager
def user_errors(subject: str, example: str | None = None) -> Generator[None]:
    """Convert errors of the system and of parsers into a `UserError` about `subject`."""
    try:
        yield
    except (OSError, ValueError) as exc:
        raise UserError(subject, error_text(exc), example) from None


def error_text(exc: OSError | ValueError) -> str:
    """Return the text of an error without the address that asyncio repeats in its own."""
    if isinstance(exc, (socket.gaierror, UnicodeError)):
        return "host not found"
    if isinstance(exc, OSError):
        # From Python 3.13 on asyncio omits the number where it can bind none of the addresses.
        return os.strerror(exc.errno or errno.EADDRNOTAVAIL).lower()
    return str(exc)
