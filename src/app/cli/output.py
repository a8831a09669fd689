"""Standard input, output and error, as whoever started us left them."""

import contextlib
import os
import sys

__all__ = ["open_missing", "write_line"]


def open_missing() -> None:
    """Open /dev/null in the place of each standard stream that is closed.

    A file that is opened later would get its number, and Python has `None` for it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def write_line(text: str) -> None:
    """Write a line to standard output in UTF-8, whatever the locale's encoding."""
    with contextlib.suppress(BrokenPipeError):  # whoever wanted only the first lines has gone
        sys.stdout.buffer.write(text.encode(errors="backslashreplace") + b"\n")
        sys.stdout.flush()
