"""What holds for the sentence with which a backend is unavailable: a public network reads it."""

import re
from ipaddress import ip_address

__all__ = ["check_message"]

LONGEST_SENTENCE = 200

_FORM = re.compile(r"[^\W\d_][\w -]*: \S.*")

_UNFIT = {
    "an address": re.compile(r"\S*(?:://|::)\S*"),
    "a host with its port": re.compile(r"\b[\w.-]*[a-z][\w.-]*:\d{2,5}\b", re.IGNORECASE),
    "a hardware or IPv6 address": re.compile(r"\b(?:[\da-f]{1,4}:){2,}[\da-f]{1,4}", re.IGNORECASE),
    "a path": re.compile(r"(?<!\w)/[\w.]\S*"),  # not the slash of HTTP/1.1
    "an exception's text": re.compile(
        r"\w+(?:Error|Exception)\b|Error\(|Errno|Traceback|0x[\da-f]{6}"
    ),
}

# The slot of a card (3b:00.0) is published anyhow, and a time of day (12:30:45) is no address.
_HARMLESS = re.compile(
    r"\b(?:[\da-f]{4,8}:)?[\da-f]{2}:[\da-f]{2}\.[0-7]\b|(?<![\w:])\d\d:\d\d:\d\d(?![\w:])",
    re.IGNORECASE,
)


def check_message(message: str) -> None:
    """Assert that a failure's sentence is one line that a public network may read.

    What looks like an address, a path or the text of an exception is taken for one. Words of a
    closed list cannot hold any.
    """
    assert _FORM.fullmatch(message), f"it is not `<Kind>: <what is wrong>`: {message!r}"
    assert message.isprintable(), f"a control character is in {message!r}"
    assert len(message) <= LONGEST_SENTENCE, (
        f"it has more than {LONGEST_SENTENCE} characters: {message!r}"
    )
    rest = _HARMLESS.sub("", message)
    for what, pattern in _UNFIT.items():
        found = pattern.search(rest)
        assert not found, f"{what}, {found[0]!r}, is in {message!r}"
    for numbers in re.findall(r"\d+(?:\.\d+){3,}", message):
        assert not _is_address(numbers), f"an address, {numbers!r}, is in {message!r}"


def _is_address(numbers: str) -> bool:
    """Tell an address from the version of a driver: 550.54.15.01 is none."""
    try:
        ip_address(numbers)
    except ValueError:
        return False
    return True
