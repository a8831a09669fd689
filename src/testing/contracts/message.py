"""Check of the message with which a backend is unavailable. It is sent to a public network."""

import re
from ipaddress import ip_address

__all__ = ["check_message"]

MAX_LENGTH = 200

_FORM = re.compile(r"[^\W\d_][\w -]*: \S.*")

_PRIVATE = {
    "an address": re.compile(r"\S*(?:://|::)\S*"),
    "a host with its port": re.compile(r"\b[\w.-]*[a-z][\w.-]*:\d{2,5}\b", re.IGNORECASE),
    "a hardware or IPv6 address": re.compile(r"\b(?:[\da-f]{1,4}:){2,}[\da-f]{1,4}", re.IGNORECASE),
    "a path": re.compile(r"(?<!\w)/[\w.]\S*"),  # not the slash of HTTP/1.1
    "an exception's text": re.compile(
        r"\w+(?:Error|Exception)\b|Error\(|Errno|Traceback|0x[\da-f]{6}"
    ),
}

# The slot of a card (3b:00.0) is published anyway, and a time of day (12:30:45) is no address.
_HARMLESS = re.compile(
    r"\b(?:[\da-f]{4,8}:)?[\da-f]{2}:[\da-f]{2}\.[0-7]\b|(?<![\w:])\d\d:\d\d:\d\d(?![\w:])",
    re.IGNORECASE,
)


def check_message(message: str) -> None:
    """Assert that a message is one line of the form `<Kind>: <detail>` that may be published.

    Only what looks like an address, a path or the text of an exception is found.
    """
    assert _FORM.fullmatch(message), f"the message is not `<Kind>: <detail>`: {message!r}"
    assert message.isprintable(), f"the message contains a control character: {message!r}"
    assert len(message) <= MAX_LENGTH, (
        f"the message is longer than {MAX_LENGTH} characters: {message!r}"
    )
    rest = _HARMLESS.sub("", message)
    for name, pattern in _PRIVATE.items():
        found = pattern.search(rest)
        assert not found, f"the message contains {name}, {found[0]!r}: {message!r}"
    for numbers in re.findall(r"\d+(?:\.\d+){3,}", message):
        assert not _is_address(numbers), (
            f"the message contains an address, {numbers!r}: {message!r}"
        )


def _is_address(numbers: str) -> bool:
    """Return whether this is an address, and not the version of a driver: 550.54.15.01 is none."""
    try:
        ip_address(numbers)
    except ValueError:
        return False
    return True
