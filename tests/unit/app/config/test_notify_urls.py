"""The addresses that get messages: lists, files, and no secret in what is printed."""

import re
from pathlib import Path

import pytest

from dstack_backend.app.config.settings import load
from tests.unit.app.config.refusals import CANARY, refused

ONE, OTHER = f"ntfys://{CANARY}@ntfy.sh/a", "mailto://u:p@h?to=a@h,b@h"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (ONE, (ONE,)),
        (f"{ONE},{OTHER}", (ONE, OTHER)),
        (f"{ONE} {OTHER}", (ONE, OTHER)),
        (f"{OTHER} , {ONE},", (OTHER, ONE)),
        ("json://h/?to=a,b,c", ("json://h/?to=a,b,c",)),
        ("", ()),
    ],
)
def test_addresses_are_separated_by_commas_or_spaces(text: str, urls: tuple[str, ...]) -> None:
    """A comma within an address separates nothing."""
    assert load({"NOTIFY_URLS": text}, {}).notify_urls.urls == urls


def test_file_has_one_address_in_each_line(tmp_path: Path) -> None:
    """With comments and empty lines."""
    file = tmp_path / "urls"
    file.write_text(f"# phone\n{ONE}\r\n\n  {OTHER}")
    assert load({"NOTIFY_URLS_FILE": str(file)}, {}).notify_urls.urls == (ONE, OTHER)


def test_variable_and_file_exclude_each_other(tmp_path: Path) -> None:
    """As for the token."""
    file = tmp_path / "urls"
    file.write_text(ONE)
    message = refused({"NOTIFY_URLS": ONE, "NOTIFY_URLS_FILE": str(file)})
    assert message is not None
    assert "NOTIFY_URLS is set as well; keep one of the two" in message


@pytest.mark.parametrize("text", ["", "# nothing\n", f"{ONE}\n{CANARY}", "x://h\x1b[0m", "\xff"])
def test_file_that_cannot_be_used_is_refused(text: str, tmp_path: Path) -> None:
    """The message has the number of the address, and nothing of it."""
    file = tmp_path / "urls"
    file.write_bytes(text.encode("latin-1"))
    message = refused({"NOTIFY_URLS_FILE": str(file)})
    assert message is not None
    assert CANARY not in message
    assert "holds no address" in message or re.search(r"address \d is not a URL", message)


@pytest.mark.parametrize("separator", [" ", ",", ", "])
def test_file_with_two_addresses_in_a_line_is_refused(separator: str, tmp_path: Path) -> None:
    """The message says what to change."""
    file = tmp_path / "urls"
    file.write_text(f"{OTHER}\n{ONE}{separator}{OTHER}\n")
    message = refused({"NOTIFY_URLS_FILE": str(file)})
    assert message is not None
    assert "address 2: one URL per line" in message
    assert CANARY not in message


def test_settings_print_no_address() -> None:
    """A log or a traceback may contain them."""
    assert CANARY not in repr(load({"NOTIFY_URLS": ONE}, {}))
