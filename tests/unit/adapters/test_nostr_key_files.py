"""Nostr key files: created once, complete and private; read with care; no secret is repeated."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.nostr_keys import create_key, read_key

NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
SECRET = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
KEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"


def in_folder(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(
    "text", [SECRET, SECRET.upper(), NSEC, NSEC.upper(), f" {SECRET}\n", f"{NSEC}\r\n"]
)
def test_key_file_holds_hexadecimal_or_nsec(text: str, tmp_path: Path) -> None:
    """The secret example of NIP-19, with white space around it or not."""
    file = tmp_path / "key"
    file.write_bytes(text.encode())
    assert read_key(file).public_key == KEY


def test_created_key_file_is_private_and_has_the_form_of_the_rust_service(tmp_path: Path) -> None:
    """Mode 0600, 64 digits without a line break, no other file. No two keys are the same."""
    one, other = tmp_path / "one", tmp_path / "other"
    assert create_key(one)
    assert create_key(other)
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert read_key(one).is_private
    assert len(one.read_bytes()) == 64
    assert int(one.read_text(), 16)
    assert read_key(one) != read_key(other)
    assert in_folder(tmp_path) == ["one", "other"]


@pytest.mark.parametrize("kind", ["file", "folder", "link to nowhere"])
def test_existing_path_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    """A file, a folder and a dangling link are left alone."""
    file = tmp_path / "key"
    if kind == "file":
        file.write_text("mine")
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(tmp_path / "nowhere")
    assert not create_key(file)
    assert in_folder(tmp_path) == ["key"]
    assert kind != "file" or file.read_text() == "mine"


def test_one_of_many_concurrent_calls_creates_the_key(tmp_path: Path) -> None:
    """All of them then read the same key."""
    file, start = tmp_path / "key", Barrier(8)

    def make(_: int) -> tuple[bool, str]:
        start.wait(timeout=10)
        return create_key(file), read_key(file).public_key

    with ThreadPoolExecutor(8) as pool:
        made, keys = zip(*pool.map(make, range(8)), strict=True)
    assert sorted(made) == [False] * 7 + [True]
    assert len(set(keys)) == 1
    assert in_folder(tmp_path) == ["key"]


def test_key_is_not_created_in_a_missing_folder(tmp_path: Path) -> None:
    """The folder is not created: the path may be wrong."""
    with pytest.raises(ValueError, match=r"^cannot be made \(no such file or directory\)$"):
        create_key(tmp_path / "no" / "key")
    assert in_folder(tmp_path) == []


def closed(folder: Path) -> Path:
    """Return a path in a folder in which only root may write."""
    (folder / "closed").mkdir(mode=0o500)
    return folder / "closed" / "key"


KEY_FILES: dict[str, Callable[[Path], Path]] = {
    "new": lambda folder: folder / "key",
    "folder missing": lambda folder: folder / "no" / "key",
    "folder closed": closed,
    "folder a file": lambda folder: made(folder / "file") / "key",
    "a long name": lambda folder: folder / ("x" * 245),
    "a name too long for its draft": lambda folder: folder / ("x" * 246),
    "a name too long": lambda folder: folder / ("x" * 300),
    "existing": lambda folder: made(folder / "key"),
    "link to nowhere": lambda folder: linked(folder / "key"),
}


def made(file: Path) -> Path:
    """Create a file."""
    file.write_text(SECRET)
    return file


def linked(file: Path) -> Path:
    """Create a dangling link."""
    file.symlink_to("nowhere")
    return file


def outcome(act: Callable[[Path], bool], file: Path) -> bool | str:
    """Return the result, or the message of the error."""
    try:
        return act(file)
    except ValueError as exc:
        return str(exc)


@pytest.mark.parametrize("kind", KEY_FILES)
def test_dry_run_has_the_outcome_of_create_key(kind: str, tmp_path: Path) -> None:
    """The same result or the same message, and nothing is created."""
    file = KEY_FILES[kind](tmp_path)
    before = in_folder(tmp_path)
    predicted = outcome(partial(create_key, dry_run=True), file)
    assert in_folder(tmp_path) == before
    assert predicted == outcome(create_key, file)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
@pytest.mark.parametrize("mode", [0o000, 0o555, 0o733, 0o777, 0o1777])
@pytest.mark.parametrize("kind", KEY_FILES)
def test_dry_run_has_the_outcome_of_create_key_for_another_user(kind: str, mode: int) -> None:
    """Where the folder is that of root, with these permissions."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = KEY_FILES[kind](folder)
        folder.chmod(mode)
        before = in_folder(folder)
        os.seteuid(65534)
        try:
            predicted = outcome(partial(create_key, dry_run=True), file)
            created = outcome(create_key, file)
        finally:
            os.seteuid(0)
        assert predicted == created
        assert len(in_folder(folder)) == len(before) + (created is True)


def test_file_larger_than_a_key_is_refused_and_not_truncated(tmp_path: Path) -> None:
    """A key, white space, and something after it is not a key."""
    file = tmp_path / "key"
    file.write_text(SECRET + " " * 960 + "x")
    with pytest.raises(ValueError, match=r"^holds no secret key: it is larger than 1024 bytes$"):
        read_key(file)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("nothing", "cannot be read"),
        ("folder", "is not a regular file"),
        ("pipe", "is not a regular file"),
        ("device", "is not a regular file"),
        ("nul", "embedded null"),
    ],
)
def test_path_that_is_not_a_regular_file_is_refused_at_once(
    kind: str, fault: str, tmp_path: Path
) -> None:
    """A pipe without a writer does not delay the start."""
    os.mkfifo(tmp_path / "pipe")
    paths = {"folder": tmp_path, "device": Path("/dev/zero"), "nul": Path("\0")}
    with pytest.raises(ValueError, match=fault):
        read_key(paths.get(kind, tmp_path / kind))


@given(
    st.binary(max_size=100)
    | st.sampled_from([b"0" * 64, b"f" * 64, NSEC[:-1].encode(), SECRET.encode() * 16])
    | st.text(max_size=9).map(lambda text: (SECRET + text + "x").encode())
)
def test_content_of_an_invalid_key_file_is_never_repeated(content: bytes) -> None:
    """The message is the same for any content, and no other exception is chained to it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"^holds no secret key: ") as caught:
            read_key(file)
    assert str(caught.value) == "holds no secret key: neither 64 hexadecimal digits nor an nsec"
    assert caught.value.__suppress_context__
