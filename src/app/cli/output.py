"""Standard input, output and error."""

import contextlib
import os
import sys
from collections.abc import Sequence

from dstack_backend.app.errors import UserError

__all__ = ["format_table", "open_missing", "write_error", "write_line"]

CANNOT_WRITE = 74  # EX_IOERR of sysexits.h


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


def write_line(text: str, *, is_safe: bool = False, end: str = "\n") -> bool:
    """Write lines to standard output in UTF-8, whatever the locale's encoding.

    Unless the text is safe, the characters that a terminal may obey are escaped. Returns false
    where the reader has closed the pipe, as `head` does: this is not an error.

    Raises:
        UserError: It cannot be written.
    """
    safe = text if is_safe else "\n".join(map(_escape, text.split("\n")))
    try:
        sys.stdout.buffer.write((safe + end).encode(errors="backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        return False
    except OSError as exc:
        fault = f"cannot be written: {(exc.strerror or 'failed').lower()}"
        raise UserError("standard output", fault, exit_code=CANNOT_WRITE) from None
    return True


def write_error(text: str) -> None:
    """Write a line to standard error, if that is possible."""
    with contextlib.suppress(OSError):
        print(f"dstack-backend: {_escape(text)}", file=sys.stderr)  # noqa: T201


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines with aligned columns. Cells are escaped already."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    from dstack_backend.domain.formatting import escape  # noqa: PLC0415 - slow

    return escape(text)
