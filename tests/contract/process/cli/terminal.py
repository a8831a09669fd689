"""A command on a pseudo-terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Self

__all__ = ["Terminal"]

START = 20.0

_RUN = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "dstack_backend", *sys.argv[1:]])
"""


class Terminal:
    """A process `python -m dstack_backend ...` on a terminal of 80 columns and 40 lines.

    Attributes:
        process: The process.
        received: Everything that it has written so far.
    """

    def __init__(self, *arguments: str, term: str = "xterm-256color", no_color: str = "") -> None:
        """Start it as the leader of a session, so that Ctrl-C reaches it."""
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RUN, *arguments],
            env={"PATH": os.environ["PATH"], "TERM": term, "NO_COLOR": no_color},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.received = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._controller)

    def read_until(self, pattern: str, *, after: int = 0) -> int:
        """Read until a pattern matches after a position, and return the end of the match."""
        deadline = time.monotonic() + START
        while not (match := re.compile(pattern, re.DOTALL).search(self.received, after)):
            assert time.monotonic() < deadline, self.received[-2000:]
            self._read()
        return match.end()

    def press(self, key: str) -> None:
        """Press Ctrl and a key."""
        os.write(self._controller, bytes([ord(key) & 0x1F]))

    def wait(self) -> int:
        """Read to the end, and return the exit code."""
        deadline = time.monotonic() + START
        while self._read():
            assert time.monotonic() < deadline, self.received[-2000:]
        return self.process.wait(timeout=10)

    def _read(self) -> bool:
        """Read what is there within a second. Return false at the end."""
        if not select.select([self._controller], [], [], 1)[0]:
            return True
        try:
            data = os.read(self._controller, 65536)
        except OSError:  # EIO: each process with this terminal has ended
            return False
        self.received += data.decode()
        return bool(data)
