"""Addresses of nodes, from the command line and from files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.errors import UserError
from dstack_backend.app.status.addresses import MAX_NODES, parse_address, read_addresses

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("gpu-01", "http://gpu-01:8080", "gpu-01"),
        ("gpu-01:8090", "http://gpu-01:8090", "gpu-01:8090"),
        ("10.0.0.5:8080", "http://10.0.0.5:8080", "10.0.0.5"),
        ("gpu-01/node/", "http://gpu-01:8080/node", "gpu-01/node"),
        ("gpu-01:80/a/b", "http://gpu-01:80/a/b", "gpu-01:80/a/b"),
        ("http://gpu-01", "http://gpu-01:80", "gpu-01"),
        ("http://gpu-01:8080", "http://gpu-01:8080", "gpu-01"),
        ("HTTPS://Example.net/gpu-01/", "https://example.net:443/gpu-01", "example.net/gpu-01"),
        ("https://example.net:8443", "https://example.net:8443", "example.net:8443"),
        ("::1", "http://[::1]:8080", "[::1]"),
        ("[2001:db8::1]:81", "http://[2001:db8::1]:81", "[2001:db8::1]:81"),
    ],
)
def test_address_has_a_url_and_a_short_name(text: str, url: str, name: str) -> None:
    """A host alone has the service's port, a URL that of its scheme; a path is a prefix."""
    address = parse_address(text)
    assert (address.url, address.shown, address.name) == (url, url, name)


def test_login_is_sent_and_not_shown() -> None:
    """A proxy before the nodes may need it."""
    address = parse_address(f"https://me:{SECRET}@example.net/gpu-01")
    assert address.url == f"https://me:{SECRET}@example.net:443/gpu-01"
    assert address.shown == "https://example.net:443/gpu-01"
    assert address.name == "example.net/gpu-01"


@pytest.mark.parametrize(
    "text",
    [
        *("", ":8080", "*:8080", "a:b", "a:0", "a:65536", "a:+80", "a:٣", "http://", "[::1"),
        *("ftp://a", "unix:/run/a.sock", "a?b=c", "a#b", "a b", "a\x1b[2J", "a'", "é.example"),
        *(f"u:{SECRET}@h:x", f"http://u:{SECRET}@", "x" * 5000, "http://[::x]", "//a", "a@b@:1"),
    ],
)
def test_text_that_is_no_address_is_refused_in_one_line(text: str) -> None:
    """The number of the line, a valid example, and nothing of the text: it may be a password."""
    with pytest.raises(UserError) as caught:
        read_addresses({}, {"urls": text})
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("address 1: it")
    assert str(caught.value).endswith("; for example gpu-01:8080")
    assert SECRET not in str(caught.value)


def test_error_says_which_address_it_is_about() -> None:
    """By its number, because the address may contain a password."""
    with pytest.raises(UserError, match=r"^address 2: it has a character that no address has"):
        read_addresses({}, {"urls": "127.0.0.1\na b\ngpu-01"})


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """What is shown is printable, and stays the same when it is parsed again."""
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert address.shown.isprintable()
    assert parse_address(address.shown).shown == address.shown


def test_without_an_address_the_local_service_is_asked() -> None:
    """Where the health check finds it."""
    assert read_addresses({}, {})[0].url == "http://localhost:8080"
    assert read_addresses({"LISTEN_ADDR": "[::]:81"}, {})[0].url == "http://[::1]:81"
    assert read_addresses({}, {"LISTEN_ADDR": "10.0.0.5:82"})[0].url == "http://10.0.0.5:82"


def test_file_has_an_address_per_line(tmp_path: Path) -> None:
    """With comments, empty lines and Windows line ends; each address is asked once."""
    file = tmp_path / "nodes.txt"
    file.write_bytes(b"\xef\xbb\xbf# ours\r\n\r\n  a:1  # rack 1\r\nb\nhttp://a:1/\n#c\n")
    found = read_addresses({}, {"file": str(file), "urls": "b:8080\nd"})
    assert [each.url for each in found] == [
        *("http://b:8080", "http://d:8080", "http://a:1"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nx y\n", "--file, line 3: it has a character that no address has, or is too long"),
        (b"# none\n\n", "--file: contains no address"),
        (b"\xff\xfe", "--file: is not a text in UTF-8"),
        (
            b"\n".join(b"h%d" % number for number in range(MAX_NODES + 1)),
            "status: more than 256 addresses; for so many nodes use Prometheus",
        ),
    ],
)
def test_file_that_cannot_be_used_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """One line, which says where."""
    file = tmp_path / "nodes.txt"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_addresses({}, {"file": str(file)})
    assert str(caught.value).partition("; for example")[0] == message


@pytest.mark.parametrize("name", ["nowhere", ".", "a\0b"])
def test_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    """The text has no path."""
    with pytest.raises(UserError, match=r"^--file: (cannot be read: [a-z ]+|is not a path)$"):
        read_addresses({}, {"file": f"{tmp_path}/{name}"})
