"""Files that are named in a setting: when they are read again, and what is logged."""

import logging
import os
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack.watched_file import WatchedFile

CANARY = "c4n4ry"
LARGEST = 2048


def digits(content: bytes) -> int:
    """Return the number in a content."""
    if not content.isdigit():
        raise ValueError("holds no number")
    return int(content)


def watched(path: Path) -> WatchedFile[int]:
    """Return the value of a file."""
    return WatchedFile(path, "number", LARGEST, digits)


def test_overwritten_and_replaced_file_is_read_again(tmp_path: Path) -> None:
    """Also with the same size and the same time: a tick of the file system is milliseconds long."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("1")
    os.utime(path, (0, 0))
    file = watched(path)
    path.write_text("2")
    os.utime(path, (0, 0))
    assert file.value() == 2
    other.write_text("3")
    other.rename(path)
    assert file.value() == 3


def test_content_is_loaded_once(tmp_path: Path) -> None:
    """Loading certificates takes many times as long as comparing them."""
    path = tmp_path / "file"
    path.write_text("1")
    loaded: list[bytes] = []
    file = WatchedFile(path, "number", LARGEST, loaded.append)
    for _ in range(3):
        file.value()
    assert loaded == [b"1"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read (no such file or directory)"),
        (b"", "holds no number"),
        (CANARY.encode(), "holds no number"),
        (b"1" * (LARGEST + 1), "holds more than 2 KiB"),
    ],
)
def test_last_value_is_used_while_the_file_cannot_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None, fault: str
) -> None:
    """Loss and return are logged once each, without path and content; so is the next loss."""
    caplog.set_level(logging.INFO, "dstack_backend")
    path = tmp_path / "file"
    path.write_text("1")
    file = watched(path)
    for _ in range(2):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert {file.value() for _ in range(3)} == {1}
        path.write_text("1")
        assert {file.value() for _ in range(3)} == {1}
    lost, found = "the number file {}; the last number is used", "the number file can be read again"
    logged = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert logged == [("WARNING", lost.format(fault)), ("INFO", found)] * 2


@pytest.mark.parametrize("content", [b"", b"x", b"1" * (LARGEST + 1)])
def test_file_without_a_value_is_rejected_at_the_start(tmp_path: Path, content: bytes) -> None:
    """There is no earlier value."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^holds "):
        watched(path)


def test_pipe_is_rejected_without_opening_it(tmp_path: Path) -> None:
    """Opening a pipe without a writer would never return."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="is not a regular file"):
        watched(pipe)
