"""The log, with the standard library: to standard error, as text or as JSON.

A record is one line without control characters. An exception is shown by its type and the place
that raised it, without its text, which may contain an address, a path or foreign text.

A write blocks where the output is not read: Ctrl-S in a terminal, or a log driver that hangs.
Therefore the log of the service has a queue, and a thread that writes it. Lines that find the queue
full are lost.
"""

import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Queue
from traceback import walk_tb

import msgspec

from dstack_backend.domain.formatting import escape

__all__ = ["JsonFormatter", "LogQueue", "TextFormatter"]
__all__ += ["lost_log_lines", "place", "set_up_logging"]

FIELDS = ("status", "reason", "gpu", "change")
"""Extra fields of a record that the JSON format contains beside the message."""

QUEUE_SIZE = 1000
FLUSH_TIMEOUT = 0.2
"""Seconds for the last lines at the end. They are used up only where the log is not read."""

_PACKAGE = "dstack_backend"

_log = logging.getLogger(__name__)


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
            "logger": record.name.removeprefix(f"{_PACKAGE}."),
            "message": _message(record),
            **{name: getattr(record, name) for name in FIELDS if hasattr(record, name)},
        }
        return escape(msgspec.json.encode(fields).decode())


class LogQueue(QueueHandler):
    """Hands lines to a thread that writes them to standard error. Logging never waits.

    Attributes:
        lost: How many lines were lost, because the queue was full or writing failed.
    """

    def __init__(self) -> None:
        """Start the thread."""
        self._lines: Queue[logging.LogRecord] = Queue(QUEUE_SIZE)
        super().__init__(self._lines)
        self.lost = 0
        _Writer(self._lines, self).start()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - of logging
        """Count a line that cannot be queued. The method of the base class writes itself."""
        self.lost += 1

    def flush(self) -> None:
        """Wait until all lines are written, or for the timeout."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(self._is_written, FLUSH_TIMEOUT)

    def _is_written(self) -> bool:
        return not self._lines.unfinished_tasks


class _Writer(QueueListener):
    """Writes without a stream of Python, whose lock would stop other threads and the exit."""

    def __init__(self, lines: Queue[logging.LogRecord], handler: LogQueue) -> None:
        super().__init__(lines)
        self._lines = lines
        self._handler = handler
        self._reported = 0

    def handle(self, record: logging.LogRecord) -> None:
        """Write a line. After the last one, log how many were lost."""
        data = f"{record.getMessage()}\n".encode()
        try:
            while data:
                data = data[os.write(sys.stderr.fileno(), data) :]
        except (OSError, ValueError, AttributeError):  # there may be no standard error
            self._handler.lost += 1
            return
        lost = self._handler.lost - self._reported
        if lost and self._lines.empty():
            self._reported += lost
            _log.error("%d log lines were lost: standard error was not read or is full", lost)


def lost_log_lines() -> int:
    """Return how many lines of the log were lost since it was set up."""
    handlers = logging.getLogger().handlers
    return sum(handler.lost for handler in handlers if isinstance(handler, LogQueue))


def set_up_logging(level: str, log_format: str, *, is_queued: bool = True) -> None:
    """Set up the root logger.

    The level is that of this package. Libraries log from `warning` on: at `debug` httpcore would
    log DStack's address and the token. A command that ends by itself needs no queue.
    """
    handler = LogQueue() if is_queued else logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(_PACKAGE).setLevel(level.upper())


def place(error: BaseException) -> str:
    """Return an exception's type and where it was raised: `KeyError at cli.py:31`."""
    frames = list(walk_tb(error.__traceback__))
    if not frames:
        return type(error).__name__
    frame, line = frames[-1]
    return f"{type(error).__name__} at {Path(frame.f_code.co_filename).name}:{line}"


def _time(record: logging.LogRecord) -> str:
    utc = datetime.fromtimestamp(record.created, UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[1]:
        text += f" [{place(record.exc_info[1])}]"
    return escape(text)
