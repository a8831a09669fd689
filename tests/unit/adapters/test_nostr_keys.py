"""Nostr's keys: published vectors, files of every sort, and that no secret is ever repeated."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.nostr_keys import (
    create_key,
    npub,
    public_keys,
    read_key,
    would_create,
)
from dstack_backend.testing.strategies import setting_texts

NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
SECRET = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
KEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"

NIP_19 = {
    "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg": KEY,
    "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6": (
        "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    ),
}

BIP_340 = [
    (
        "0000000000000000000000000000000000000000000000000000000000000003",
        "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
    ),
    (
        "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef",
        "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
    ),
    (
        "c90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b14e5c9",
        "dd308afec5777e13121fa72b9cc1b7cc0139715309b086c960e18fd969774eb8",
    ),
    (
        "0b432b2677937381aef05bb02a66ecd012773062cf3fa2549e44f58ed2401710",
        "25d1dff95105f5253c4022f628a996ad3a0d95fbf21d468a1b33f8c160d8f517",
    ),
]

NO_KEYS = {
    "vector 5 of BIP340, on no point": (
        "eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34"
    ),
    "vector 14 of BIP340, beyond the field": "f" * 55 + "efffffc30",
    "nought": "0" * 64,
    "a digit less": KEY[:-1],
    "a digit more": KEY + "0",
    "no digit": KEY[:-1] + "g",
    "other digits": "٣" * 64,
    "compressed, as Bitcoin has it": "02" + KEY,
    "an npub with a wrong letter": (
        "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjpth"
    ),
    "an npub cut short": "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw",
    "a surrogate": "npub1\udc80",
    "a secret key": NSEC,
    "nothing": " ",
    "an empty entry": f"{KEY},",
}


def in_folder(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize(("secret", "key"), BIP_340)
def test_the_vectors_of_bip340(secret: str, key: str, tmp_path: Path) -> None:
    """From each secret key comes the published public key; it is accepted in either case."""
    file = tmp_path / "key"
    file.write_text(secret)
    assert read_key(file).public_key == key
    assert public_keys(key.upper()) == (key,)


@pytest.mark.parametrize(("text", "key"), NIP_19.items())
def test_the_public_examples_of_nip19(text: str, key: str) -> None:
    """An npub becomes its hexadecimal form, and back."""
    assert public_keys(text) == (key,)
    assert npub(key) == text


@pytest.mark.parametrize("text", [SECRET, SECRET.upper(), NSEC, f" {SECRET}\n", f"{NSEC}\r\n"])
def test_a_file_holds_a_key_in_either_form(text: str, tmp_path: Path) -> None:
    """NIP-19's secret example gives its public one, with blanks around or not."""
    file = tmp_path / "key"
    file.write_bytes(text.encode())
    assert read_key(file).public_key == KEY


def test_a_list_of_keys_keeps_its_order_and_repeats_none() -> None:
    """Both forms may be mixed, with blanks around."""
    (first, key), (second, other) = NIP_19.items()
    assert public_keys(f"{second}, {first},{other} ,{key}") == (other, key)
    assert public_keys("") == ()


@pytest.mark.parametrize("name", NO_KEYS)
def test_what_is_no_public_key_is_refused_without_being_repeated(name: str) -> None:
    """The message says which entry; it may be a secret by mistake."""
    text = NO_KEYS[name]
    with pytest.raises(ValueError, match=r"^entry \d ") as caught:
        public_keys(text)
    assert text.strip() == "" or text.strip() not in str(caught.value)
    assert str(caught.value).isprintable()


@given(setting_texts() | setting_texts().map("npub1".__add__) | st.text(max_size=80))
def test_any_text_is_a_list_of_keys_or_refused(text: str) -> None:
    """Nothing else happens, and each key that is given is 64 small digits."""
    try:
        keys = public_keys(text)
    except ValueError:
        return
    assert all(set(key) <= set("0123456789abcdef") and len(key) == 64 for key in keys)


def test_a_made_key_is_its_owners_and_has_the_rust_services_form(tmp_path: Path) -> None:
    """Mode 0600, 64 digits without a line break, nothing beside it; each is another one."""
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
def test_what_exists_is_never_overwritten(kind: str, tmp_path: Path) -> None:
    """Whatever stands at the path stays as it is."""
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


def test_of_many_who_make_a_key_at_once_one_does(tmp_path: Path) -> None:
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


def test_a_key_is_not_made_where_there_is_no_folder(tmp_path: Path) -> None:
    """A wrong path shows; no folder appears."""
    with pytest.raises(ValueError, match=r"^cannot be made \(no such file or directory\)$"):
        create_key(tmp_path / "no" / "key")
    assert in_folder(tmp_path) == []


def closed(folder: Path) -> Path:
    """A folder that nobody may write in, root excepted."""
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
    """A file that is there."""
    file.write_text(SECRET)
    return file


def linked(file: Path) -> Path:
    """A link to nowhere."""
    file.symlink_to("nowhere")
    return file


def outcome(act: Callable[[Path], bool], file: Path) -> bool | str:
    """What comes of it, or why it cannot be done."""
    try:
        return act(file)
    except ValueError as exc:
        return str(exc)


@pytest.mark.parametrize("kind", KEY_FILES)
def test_whether_a_key_would_be_made_is_told_as_making_it_does(kind: str, tmp_path: Path) -> None:
    """The same answer or the same words, and nothing is made."""
    file = KEY_FILES[kind](tmp_path)
    before = in_folder(tmp_path)
    told = outcome(would_create, file)
    assert in_folder(tmp_path) == before
    assert told == outcome(create_key, file)


def test_a_file_that_is_larger_than_any_key_is_refused_and_not_cut(tmp_path: Path) -> None:
    """A key, blanks, and something behind them is no key."""
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
def test_a_path_without_a_key_is_refused_at_once(kind: str, fault: str, tmp_path: Path) -> None:
    """A pipe nobody writes to does not hold up the start."""
    os.mkfifo(tmp_path / "pipe")
    paths = {"folder": tmp_path, "device": Path("/dev/zero"), "nul": Path("\0")}
    with pytest.raises(ValueError, match=fault):
        read_key(paths.get(kind, tmp_path / kind))


@given(
    st.binary(max_size=100)
    | st.sampled_from([b"0" * 64, b"f" * 64, NSEC[:-1].encode(), SECRET.encode() * 16])
    | st.text(max_size=9).map(lambda text: (SECRET + text + "x").encode())
)
def test_a_file_that_holds_no_key_is_never_repeated(content: bytes) -> None:
    """The message is the same whatever the file holds, and nothing foreign is chained to it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"^holds no secret key: ") as caught:
            read_key(file)
    assert str(caught.value) == "holds no secret key: neither 64 hexadecimal digits nor an nsec"
    assert caught.value.__suppress_context__
