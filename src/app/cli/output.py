"""Standard input, output and error."""

import contextlib
import os
import sys

__all__ = ["open_missing", "write_line"]


def open_missing() -> None:
    """Open /dev/null in the place of each standard stream that is closed.

    Otherwise a file that is opened later gets its number, and Python has `None` for the stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # returns the lowest free number, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def write_line(text: str) -> None:
    """Write a line to standard output in UTF-8, whatever the locale's encoding.

    A reader that has closed the pipe, such as `head`, is not an error.
    """
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(text.encode(errors="backslashreplace") + b"\n")
        sys.stdout.flush()
