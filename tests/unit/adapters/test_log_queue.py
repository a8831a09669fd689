"""The queue of the log: lines in order, and none that waits for a reader."""

import logging
import os
import select
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dstack_backend.adapters.stdlib_logging import (
    QUEUE_SIZE,
    LogQueue,
    TextFormatter,
    lost_log_lines,
    set_up_logging,
)

LOST = "log lines were lost"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """Return a logger of this package, and restore the logging of pytest afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("dstack_backend")
    before = root.handlers[:], root.level, ours.level
    root.handlers = []
    yield logging.getLogger("dstack_backend.test")
    root.handlers, ours.level = before[0], before[2]
    root.setLevel(before[1])


class Pipe:
    """A pipe as standard error."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.reading, writing = os.pipe()
        self._stderr = os.fdopen(writing, "w")

    def set_up(self, level: str = "info") -> None:
        """Set up the log, which is written to the pipe."""
        self._patch.setattr(sys, "stderr", self._stderr)  # pytest sets it before the test
        set_up_logging(level, "text")

    def read_until(self, text: str) -> list[str]:
        """Read lines until one contains a text."""
        received = b""
        while text.encode() not in received or not received.endswith(b"\n"):
            assert select.select([self.reading], [], [], 5)[0], received[-200:]
            received += os.read(self.reading, 65536)
        return received.decode().splitlines()

    def close(self) -> None:
        """Close both ends."""
        os.close(self.reading)
        self._stderr.close()


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """Return a pipe with which the log can be set up."""
    pipe = Pipe(monkeypatch)
    yield pipe
    pipe.close()


def queue() -> LogQueue:
    """Return the queue of the log."""
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, LogQueue)
    return handler


def fill(log: logging.Logger) -> int:
    """Log until lines are lost, and return how many were logged."""
    line = "x" * 1000  # a pipe takes 64 of them
    count = 0
    while lost_log_lines() < 3:
        log.error("%d %s", count, line)
        count += 1
    return count


def test_lines_are_written_in_their_order(log: logging.Logger, pipe: Pipe) -> None:
    """All of them are written when the log is flushed."""
    pipe.set_up()
    for number in range(100):
        log.info("line %d", number)
    queue().flush()
    lines = pipe.read_until("line 99")
    assert [int(line.rpartition(" ")[2]) for line in lines] == list(range(100))
    assert lost_log_lines() == 0


def test_line_has_the_values_at_the_time_of_logging(log: logging.Logger, pipe: Pipe) -> None:
    """It is formatted before it is queued."""
    pipe.set_up()
    values = ["before"]
    log.info("it is %s", values)
    values[0] = "after"
    assert pipe.read_until("it is")[0].endswith("it is ['before']")


@pytest.mark.parametrize("level", ["info", "error"])
def test_unread_log_loses_lines_and_says_how_many(
    log: logging.Logger, pipe: Pipe, level: str
) -> None:
    """Whatever the level is. The line follows those that were not lost."""
    pipe.set_up(level)
    count = fill(log)
    lost = lost_log_lines()
    assert count - lost in range(QUEUE_SIZE, QUEUE_SIZE + 100)
    lines = pipe.read_until(LOST)
    assert len(lines) == count - lost + 1
    assert f"ERROR   {lost} {LOST}" in lines[-1]
    log.error("works again")
    assert "works again" in pipe.read_until("works again")[0]
    assert lost_log_lines() == lost


def test_unread_log_does_not_delay_the_end(log: logging.Logger, pipe: Pipe) -> None:
    """Flushing has a timeout, and the end of logging does not wait for a lock."""
    pipe.set_up()
    fill(log)
    end = threading.Thread(target=logging.shutdown)
    end.start()
    end.join(2)
    assert not end.is_alive()
    pipe.read_until(LOST)


def test_log_that_cannot_be_written_is_counted(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, and without a standard error."""
    set_up_logging("info", "text")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        log.info("lost")
        queue().flush()
    assert lost_log_lines() == 1
    monkeypatch.setattr(sys, "stderr", None)
    log.info("lost, too")
    queue().flush()
    assert lost_log_lines() == 2


def test_record_that_cannot_be_formatted_is_counted(
    log: logging.Logger, pipe: Pipe, capsys: pytest.CaptureFixture[str]
) -> None:
    """The standard library would print a traceback, and wait for its reader."""
    pipe.set_up()
    log.info("%d", "text")
    assert lost_log_lines() == 1
    log.info("next")
    assert LOST in pipe.read_until(LOST)[-1]
    assert capsys.readouterr().err == ""
    assert isinstance(queue().formatter, TextFormatter)


def test_nothing_is_lost_without_a_queue(log: logging.Logger) -> None:
    """Commands have none."""
    set_up_logging("info", "text", is_queued=False)
    assert not any(isinstance(each, LogQueue) for each in logging.getLogger().handlers)
    assert lost_log_lines() == 0
    assert log.isEnabledFor(logging.INFO)
