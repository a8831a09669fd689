"""The formats of a log record: one line, without control characters and without a traceback.

An exception is shown by its type and the place that raised it. Its text is omitted: it may contain
an address, a path or text from another side.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb

import msgspec

__all__ = ["FIELDS", "JsonFormatter", "TextFormatter", "place"]

FIELDS = ("status", "reason")
"""Extra fields of a record that the JSON format contains beside the message."""

_PACKAGE = "dstack_backend."


class TextFormatter(logging.Formatter):
    """`2026-11-24T08:00:00.000Z WARNING unavailable (timed_out): ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        return f"{_time(record)} {record.levelname:<7} {_message(record)}"


class JsonFormatter(logging.Formatter):
    """One JSON object: `time`, `level`, `logger` without the package, `message`, and `FIELDS`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix(_PACKAGE),
            "message": _message(record),
        }
        for name in FIELDS:
            if hasattr(record, name):
                fields[name] = getattr(record, name)
        return msgspec.json.encode(fields).decode()


def _time(record: logging.LogRecord) -> str:
    utc = datetime.fromtimestamp(record.created, UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[1]:
        text += f" [{place(record.exc_info[1])}]"
    printable = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return printable.encode(errors="replace").decode()


def place(error: BaseException) -> str:
    """Return an exception's type and where it was raised: `KeyError at cli.py:31`."""
    frames = list(walk_tb(error.__traceback__))
    if not frames:
        return type(error).__name__
    frame, line = frames[-1]
    return f"{type(error).__name__} at {Path(frame.f_code.co_filename).name}:{line}"
