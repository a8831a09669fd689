"""`check_message` refuses addresses, paths and the text of exceptions."""

import errno
import os
from http import HTTPStatus

import pytest

from dstack_backend.domain import Reason
from dstack_backend.testing.contracts.backend_info import check_kind, check_message

GOOD = [
    "no answer within 5 s",
    "driver 550.54.15.01 is too old",
    "driver 550.54.15 is too old",
    "Expected `bool`, got `str` - at `$.gpus[0].is_free`",
    "JSON is malformed: invalid character (byte 12)",
    "the answer is not HTTP/1.1",
    "the certificate's authority is not trusted",
    "the last check finished 37 s ago",
    "no reading since 12:30:45",
    "the card at 0000:3b:00.0 fell off the bus",
    "3 of 8 cards, read/write, n/a",
    "cuda:0 is lost",
    "显卡驱动没有回答",
]

PRIVATE = {
    "localhost:19060 refused": "a host with its port, 'localhost:19060'",
    "cannot reach dstack.internal:19060": "a host with its port, 'dstack.internal:19060'",
    "gpu-7:80 refused": "a host with its port, 'gpu-7:80'",
    "no route to 10.0.0.1": "an address, '10.0.0.1'",
    "no route to 10.0.0.1:80.": "an address, '10.0.0.1'",
    "no route to fe80:0:0:0:1:2:3:4": "address, 'fe80:0:0:0:1:2:3:4'",
    "no route to [fe80::1]:80": "an address, '[fe80::1]:80'",
    "no route to ::1": "an address, '::1'",
    "no route to 00:1a:2b:3c:4d:5e": "address, '00:1a:2b:3c:4d:5e'",
    "http://host is away": "an address, 'http://host'",
    "no such file: '/etc/dstack/token'": 'a path, "/etc/dstack/token\'"',
    "no token (/etc/dstack/token)": "a path, '/etc/dstack/token)'",
    "no token [/etc/dstack/token]": "a path",
    "no token `/etc/dstack/token`": "a path",
    'no token "/etc/dstack/token"': "a path",
    "file=/etc/passwd": "a path, '/etc/passwd'",
    "unix:/run/vmm.sock is away": "a path, '/run/vmm.sock'",
    "/run/vmm.sock is away": "a path, '/run/vmm.sock'",
    "~/token is empty": "a path, '/token'",
    "FileNotFoundError: gpus.json": "an exception's text, 'FileNotFoundError'",
    "docker.errors.APIException occurred": "an exception's text, 'APIException'",
    "[Errno 2] no such file": "an exception's text, 'Errno'",
    "<Gpu at 0x7f00deadbeef>": "an exception's text, '0x7f00de'",
}


@pytest.mark.parametrize("detail", GOOD)
def test_harmless_message_passes(detail: str) -> None:
    """Versions, times, slots and positions in JSON are not taken for addresses."""
    check_message(f"Parse error: {detail}")


@pytest.mark.parametrize("reason", Reason)
def test_message_of_every_reason_passes(reason: Reason) -> None:
    """Its kind is one of this package."""
    check_message(reason.summary)
    check_kind(reason.summary)


def test_texts_of_the_system_and_of_http_pass() -> None:
    """The httpx adapter uses them in details."""
    for number in errno.errorcode:
        check_message(f"Connection error: {os.strerror(number).lower()}")
    for status in HTTPStatus:
        check_message(f"HTTP error: {status.value} {status.phrase}")


@pytest.mark.parametrize("detail", PRIVATE)
def test_private_text_is_found(detail: str) -> None:
    """The error names what was found and quotes the whole message."""
    message = f"Driver error: {detail}"
    with pytest.raises(AssertionError) as failed:
        check_message(message)
    assert PRIVATE[detail] in str(failed.value)
    assert repr(message) in str(failed.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("it is down", "the message is not `<Kind>: <detail>`"),
        ("Driver error:", "the message is not `<Kind>: <detail>`"),
        ("Driver error: one\ntwo", "the message is not `<Kind>: <detail>`"),
        ("FileNotFoundError: gpus.json", "an exception's text"),
        ("Driver error: \x1b[31mred", "a control character"),
        ("Driver error: " + "long " * 50, "longer than 200 characters"),
    ],
)
def test_invalid_form_is_found(message: str, expected: str) -> None:
    """A message is one short, printable line with a kind before a colon."""
    with pytest.raises(AssertionError) as failed:
        check_message(message)
    assert expected in str(failed.value)
    assert repr(message) in str(failed.value)


def test_other_kind_is_found() -> None:
    """The message is valid, but its kind is not one of this package."""
    check_message("Driver error: no answer")
    with pytest.raises(AssertionError, match="the kind of 'Driver error: no answer' is not one of"):
        check_kind("Driver error: no answer")
