"""What DStack is shown, and that it shows nowhere else."""

import logging
import os
from base64 import b64decode
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import Basic, Bearer, TokenFile, usable_token

CANARY = "c4n4ry"


def test_a_token_is_sent_as_bearer() -> None:
    """RFC 6750."""
    assert Bearer("the-token").header() == "Bearer the-token"


@pytest.mark.parametrize(("user", "password"), [("u", "p"), ("u", ""), ("ü", "p:ä ß"), ("", "p")])
def test_user_and_password_are_sent_as_basic(user: str, password: str) -> None:
    """RFC 7617, in UTF-8."""
    scheme, _, encoded = Basic(user, password).header().partition(" ")
    assert scheme == "Basic"
    assert b64decode(encoded).decode() == f"{user}:{password}"


@pytest.mark.parametrize("credentials", [Bearer(CANARY), Basic(CANARY, CANARY)])
def test_a_printed_credential_hides_itself(credentials: Bearer | Basic) -> None:
    """A log line or a traceback that shows the object shows no secret."""
    assert CANARY not in f"{credentials!r} {credentials}"


@pytest.mark.parametrize("token", ["", "two words", "c4n4ry\n", "tökén", "tab\t", "nul\0", "\x7f"])
def test_what_fits_no_header_is_no_token(token: str) -> None:
    """The message does not repeat it."""
    with pytest.raises(ValueError, match=r"^holds ") as caught:
        usable_token(token)
    assert CANARY not in str(caught.value)


def test_a_token_is_read_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    """Editors and `echo` end a file with a line end."""
    file = tmp_path / "token"
    file.write_text("  one\n")
    assert TokenFile(file).header() == "Bearer one"


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    """The next request has the new token, be the file written over or replaced."""
    file = tmp_path / "token"
    file.write_text("one")
    credentials = TokenFile(file)
    file.write_text("two")
    assert credentials.header() == "Bearer two"
    other = tmp_path / "new"
    other.write_text("six")
    other.rename(file)
    assert credentials.header() == "Bearer six"


def test_while_the_file_cannot_be_read_the_last_token_is_used_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each loss and each return is logged once, without path and token."""
    caplog.set_level(logging.INFO, "dstack_backend")
    file = tmp_path / "token"
    file.write_text(CANARY)
    credentials = TokenFile(file)
    file.unlink()
    assert [credentials.header() for _ in range(3)] == [f"Bearer {CANARY}"] * 3
    file.write_text("new")
    assert [credentials.header() for _ in range(3)] == ["Bearer new"] * 3
    lost, found = [record.getMessage() for record in caplog.records]
    assert lost.startswith("the token file cannot be read (no such file or directory); going on")
    assert found == "the token file can be read again"
    assert CANARY not in caplog.text
    assert str(tmp_path) not in caplog.text


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"c4n4ry\xff", b"a\nb"])
def test_a_file_without_a_usable_token_is_refused(tmp_path: Path, content: bytes) -> None:
    """At the start there is no token to go on with."""
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^holds ") as caught:
        TokenFile(file)
    assert CANARY not in str(caught.value)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Opening a pipe that nobody writes to would never end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="is not a regular file"):
        TokenFile(pipe)


@pytest.mark.parametrize(("length", "sent"), [(16 * 1024, True), (16 * 1024 + 1, False)])
def test_a_file_that_is_too_long_for_a_token_is_refused_and_not_cut(
    tmp_path: Path, length: int, *, sent: bool
) -> None:
    """A part of what the operator gave is not what he gave."""
    file = tmp_path / "token"
    file.write_text("x" * length)
    if sent:
        assert TokenFile(file).header() == f"Bearer {'x' * length}"
    else:
        with pytest.raises(ValueError, match=r"^holds more than 16 KiB"):
            TokenFile(file)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A token is short; the rest of a file of 1 TiB is nobody's business."""
    file = tmp_path / "token"
    file.write_bytes(b"x")
    os.truncate(file, 2**40)
    with pytest.raises(ValueError, match=r"^holds "):
        TokenFile(file)
