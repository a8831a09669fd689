"""Credentials: the header, and that no secret is shown."""

import logging
import os
from base64 import b64decode
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, TokenFile, usable_token

CANARY = "c4n4ry"


def test_token_is_sent_as_bearer() -> None:
    """RFC 6750."""
    assert Bearer("the-token").header() == "Bearer the-token"


@pytest.mark.parametrize(("user", "password"), [("u", "p"), ("u", ""), ("ü", "p:ä ß"), ("", "p")])
def test_user_and_password_are_sent_as_basic(user: str, password: str) -> None:
    """RFC 7617, in UTF-8."""
    scheme, _, encoded = Basic(user, password).header().partition(" ")
    assert scheme == "Basic"
    assert b64decode(encoded).decode() == f"{user}:{password}"


@pytest.mark.parametrize("credentials", [Bearer(CANARY), Basic(CANARY, CANARY)])
def test_representation_hides_the_secret(credentials: Bearer | Basic) -> None:
    """A log line or a traceback may contain the object."""
    assert CANARY not in f"{credentials!r} {credentials}"


@pytest.mark.parametrize("token", ["", "two words", "c4n4ry\n", "tökén", "tab\t", "nul\0", "\x7f"])
def test_token_that_does_not_fit_a_header_is_rejected(token: str) -> None:
    """The message does not repeat it."""
    with pytest.raises(ValueError, match=r"^holds ") as caught:
        usable_token(token)
    assert CANARY not in str(caught.value)


def test_line_end_of_a_token_file_is_ignored(tmp_path: Path) -> None:
    """Editors and `echo` end a file with a line end."""
    file = tmp_path / "token"
    file.write_text("  one\n")
    assert TokenFile(file).header() == "Bearer one"


def test_changed_token_file_is_read_again(tmp_path: Path) -> None:
    """The next request has the new token, whether the file is overwritten or replaced."""
    file = tmp_path / "token"
    file.write_text("one")
    credentials = TokenFile(file)
    file.write_text("two")
    assert credentials.header() == "Bearer two"
    other = tmp_path / "new"
    other.write_text("six")
    other.rename(file)
    assert credentials.header() == "Bearer six"


def test_last_token_is_used_while_the_file_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Loss and return are logged once each, without path and token."""
    caplog.set_level(logging.INFO, "dstack_backend")
    file = tmp_path / "token"
    file.write_text(CANARY)
    credentials = TokenFile(file)
    file.unlink()
    assert [credentials.header() for _ in range(3)] == [f"Bearer {CANARY}"] * 3
    file.write_text("new")
    assert [credentials.header() for _ in range(3)] == ["Bearer new"] * 3
    lost, found = [record.getMessage() for record in caplog.records]
    reason = "cannot be read (no such file or directory)"
    assert lost == f"the token file {reason}; the last token is used"
    assert found == "the token file can be read again"
    assert CANARY not in caplog.text
    assert str(tmp_path) not in caplog.text


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"c4n4ry\xff", b"a\nb"])
def test_file_without_a_usable_token_is_rejected(tmp_path: Path, content: bytes) -> None:
    """At the start there is no earlier token."""
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^holds ") as caught:
        TokenFile(file)
    assert CANARY not in str(caught.value)


def test_pipe_is_rejected_without_opening_it(tmp_path: Path) -> None:
    """Opening a pipe without a writer would never return."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="is not a regular file"):
        TokenFile(pipe)


@pytest.mark.parametrize(("length", "sent"), [(16 * 1024, True), (16 * 1024 + 1, False)])
def test_too_large_token_file_is_rejected(tmp_path: Path, length: int, *, sent: bool) -> None:
    """A token is never truncated."""
    file = tmp_path / "token"
    file.write_text("x" * length)
    if sent:
        assert TokenFile(file).header() == f"Bearer {'x' * length}"
    else:
        with pytest.raises(ValueError, match=r"^holds more than 16 KiB"):
            TokenFile(file)


def test_huge_token_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A file of 1 TiB is rejected after 16 KiB."""
    file = tmp_path / "token"
    file.write_bytes(b"x")
    os.truncate(file, 2**40)
    with pytest.raises(ValueError, match=r"^holds "):
        TokenFile(file)
