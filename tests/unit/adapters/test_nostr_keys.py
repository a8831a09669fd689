"""Nostr public keys: published vectors, lists, and that no secret is repeated."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.nostr_keys import npub, public_keys, read_key
from tests.setting_texts import setting_texts

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
    "zero": "0" * 64,
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


@pytest.mark.parametrize(("secret", "key"), BIP_340)
def test_vectors_of_bip340(secret: str, key: str, tmp_path: Path) -> None:
    """Each secret key has the published public key, which is accepted in either case."""
    file = tmp_path / "key"
    file.write_text(secret)
    assert read_key(file).public_key == key
    assert public_keys(key.upper()) == (key,)


@pytest.mark.parametrize(("text", "key"), NIP_19.items())
def test_public_examples_of_nip19(text: str, key: str) -> None:
    """An npub is converted to hexadecimal and back."""
    assert public_keys(text) == (key,)
    assert npub(key) == text


@pytest.mark.parametrize(("text", "key"), NIP_19.items())
def test_npub_is_accepted_in_upper_case_and_not_in_mixed_case(text: str, key: str) -> None:
    """BIP-173: QR codes have upper case; mixed case is an error."""
    assert public_keys(text.upper()) == (key,)
    for mixed in (text.capitalize(), text[:9] + text[9:].upper(), text[:9].upper() + text[9:]):
        with pytest.raises(ValueError, match=r"^entry 1 is not an npub; a letter may be wrong$"):
            public_keys(mixed)


def test_other_letters_with_an_ascii_lower_case_are_refused() -> None:
    """The Kelvin sign in lower case is a k."""
    text = next(iter(NIP_19)).upper().replace("K", "\N{KELVIN SIGN}")
    with pytest.raises(ValueError, match=r"^entry 1 "):
        public_keys(text)


def test_list_of_keys_keeps_its_order_without_duplicates() -> None:
    """Both forms may be mixed, with white space around them."""
    (first, key), (second, other) = NIP_19.items()
    assert public_keys(f"{second}, {first},{other} ,{key}") == (other, key)
    assert public_keys("") == ()


@pytest.mark.parametrize("name", NO_KEYS)
def test_invalid_public_key_is_refused_without_being_repeated(name: str) -> None:
    """The message has the number of the entry, which may be a secret by mistake."""
    text = NO_KEYS[name]
    with pytest.raises(ValueError, match=r"^entry \d ") as caught:
        public_keys(text)
    assert text.strip() == "" or text.strip() not in str(caught.value)
    assert str(caught.value).isprintable()


@given(setting_texts() | setting_texts().map("npub1".__add__) | st.text(max_size=80))
def test_any_text_is_a_list_of_keys_or_refused(text: str) -> None:
    """No other exception is raised, and each key has 64 lower-case digits."""
    try:
        keys = public_keys(text)
    except ValueError:
        return
    assert all(set(key) <= set("0123456789abcdef") and len(key) == 64 for key in keys)
