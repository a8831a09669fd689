"""Addresses of DStack: their parts, what is rejected, and that no password is shown."""

import re

import pytest
from hypothesis import given

from dstack_backend.adapters.httpx_dstack import Basic, DStackAddress, parse_address
from tests.setting_texts import setting_texts

CANARY = "c4n4ry"
ODD = (
    "it holds a space, a quote, or a character that cannot be printed;"
    " write it in its encoded form, such as %27"
)


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        (
            "http://localhost:19060",
            "http://localhost:19060/prpc/ListGpus?json",
            "http://localhost:19060",
        ),
        ("http://h/", "http://h/prpc/ListGpus?json", "http://h"),
        ("http://h/a/b/", "http://h/a/b/prpc/ListGpus?json", "http://h/a/b"),
        ("https://h:8443/a", "https://h:8443/a/prpc/ListGpus?json", "https://h:8443/a"),
        ("http://[::1]:80/", "http://[::1]/prpc/ListGpus?json", "http://[::1]"),
        ("HTTP://Host", "http://host/prpc/ListGpus?json", "http://host"),
        ("http://u:p@h/a", "http://h/a/prpc/ListGpus?json", "http://h/a"),
    ],
)
def test_tcp_address_keeps_its_path(text: str, url: str, shown: str) -> None:
    """User and password are neither in the URL nor shown."""
    address = parse_address(text)
    assert (address.url, address.shown, address.socket) == (url, shown, None)
    assert address.is_tls is url.startswith("https")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("http://h", "h", 80),
        ("https://h", "h", 443),
        ("http://h:19060", "h", 19060),
        ("http://[::1]:8", "::1", 8),
        ("http://[192.0.2.7]:8", "192.0.2.7", 8),
        ("https://u:p@[192.0.2.7]", "192.0.2.7", 443),
        ("http://h:", "h", 80),
        ("http://u:p:1@h:8/a:b", "h", 8),
        ("http://M\u00fcnchen.example", "xn--mnchen-3ya.example", 80),
        ("http://xn--a.example", "xn--a.example", 80),  # name resolution decides about punycode
    ],
)
def test_host_is_ascii_and_port_has_a_default(text: str, host: str, port: int) -> None:
    """The default port is that of the scheme."""
    address = parse_address(text)
    assert (address.host, address.port) == (host, port)


def test_certificate_is_for_the_host_without_a_final_dot() -> None:
    """The dot stays for name resolution: it excludes the search list."""
    address = parse_address("https://dstack.example.:8")
    assert (address.host, address.tls_name) == ("dstack.example.", "dstack.example")


@pytest.mark.parametrize("sign", ["%", "%25"])
@pytest.mark.parametrize("zone", ["eth0", "br-1a2b.100", "2", "25"])
def test_zone_of_an_ipv6_address_has_two_forms(sign: str, zone: str) -> None:
    """RFC 6874 writes `%25`. The zone is of this machine: it is in no header and no certificate."""
    address = parse_address(f"https://u:p%25@[fe80::19{sign}{zone}]:8/a")
    assert (address.host, address.port) == (f"fe80::19%{zone}", 8)
    assert address.url == "https://[fe80::19]:8/a/prpc/ListGpus?json"
    assert address.shown == f"https://[fe80::19%{zone}]:8/a"
    assert (address.tls_name, address.login) == ("fe80::19", Basic("u", "p%"))


@pytest.mark.parametrize(
    "text", ["unix:/run/vmm.sock", "unix:///run/vmm.sock", "UNIX:/run/vmm.sock"]
)
def test_unix_socket_has_several_forms(text: str) -> None:
    """All name the same socket."""
    address = parse_address(text)
    assert address.socket == "/run/vmm.sock"
    assert address.url == "http://localhost/prpc/ListGpus?json"
    assert address.shown == "unix:/run/vmm.sock"
    assert not address.is_tls


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("http://h", None),
        ("http://@h", None),
        ("http://u:p@h", Basic("u", "p")),
        ("http://u@h", Basic("u", "")),
        ("http://u:p%40%3A@h", Basic("u", "p@:")),
        ("http://[192.0.2.7]:1@h", Basic("[192.0.2.7]", "1")),
    ],
)
def test_user_and_password_are_decoded(text: str, login: Basic | None) -> None:
    """From their percent encoding."""
    assert parse_address(text).login == login


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it starts with none of http://, https:// and unix:"),
        ("localhost:19060", "it starts with none of http://, https:// and unix:"),
        ("ftp://h", "it starts with none of http://, https:// and unix:"),
        ("http://", "it names no host"),
        ("http://u:c4n4ry@", "it names no host"),
        ("http://h:0", "its port is not between 1 and 65535"),
        ("http://h:65536", "its port is not between 1 and 65535"),
        ("http://h:http", "it is not a URL"),
        ("http://h:+1", "its port is not between 1 and 65535"),
        ("http://h:1_0/", "its port is not between 1 and 65535"),
        ("http://u:c4n4ry@[::1]:\uff18\uff10", "its port is not between 1 and 65535"),
        ("http://[::1", "it is not a URL"),
        ("http://[1]", "it is not a URL"),
        ("http://[192.0.2.7]1", "it is not a URL"),
        ("http://[192.0.2.7]c4n4ry:8", "it is not a URL"),
        ("http://[192.0.2]", "it is not a URL"),
        ("http://[192.0.2.256]", "it is not a URL"),
        ("http://[192.0.2.7%eth0]", "it is not a URL"),
        ("http://u:c4n4ry/1@h", "it is not a URL"),
        ("http://h/?token=c4n4ry", "it holds a ? or a #; only a path may follow the host"),
        ("http://h?", "it holds a ? or a #; only a path may follow the host"),
        ("http://h/#c4n4ry", "it holds a ? or a #; only a path may follow the host"),
        ("http://h #", ODD),
        ('http://h/"a"', ODD),
        ("http://u:c4n4ry'@h", ODD),
        ("http://u:c4n4ry\n@h", ODD),
        ("unix:vmm.sock", "the path of the socket is not absolute"),
        ("unix:", "the path of the socket is not absolute"),
        ("unix://host/vmm.sock", "the path of the socket is not absolute"),
        ("unix:/a\0", "the path of the socket holds a character that cannot be printed"),
        ("unix:/" + "ü" * 54, "the path of the socket is longer than 107 bytes"),
    ],
)
def test_invalid_address_is_rejected_without_repeating_it(text: str, fault: str) -> None:
    """The message states the fault only."""
    with pytest.raises(ValueError, match=f"^{re.escape(fault)}$") as caught:
        parse_address(text)
    # A traceback would show an exception in the context, whose text may repeat the address.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_longest_socket_path_is_accepted() -> None:
    """Linux allows 107 bytes."""
    assert parse_address("unix:/" + "x" * 106).socket == "/" + "x" * 106


def parsed(text: str) -> DStackAddress | str:
    """Return the address, or the message of the error."""
    try:
        return parse_address(text)
    except ValueError as exc:
        return str(exc)


@given(setting_texts())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    """Whatever the text is, nothing else is raised, and the address shown is one line."""
    address = parsed(text)
    if isinstance(address, str):
        assert address.isprintable()
    else:
        assert address.shown.isprintable()
        assert address.url.isascii()
        assert address.host.isascii()
        assert 0 < address.port <= 65535


@given(setting_texts())
def test_password_is_not_shown(noise: str) -> None:
    """Neither in the message of an error nor in the representation of an address."""
    assert CANARY not in repr(parsed(f"http://user:{CANARY}{noise}@h"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("http://user:12/s3cret@h", "an @ after the host"),
        ("http://%zz", "neither a name nor an address"),
        ("http://.", "neither a name nor an address"),
        ("http://h..x", "neither a name nor an address"),
        ("http://[fe80::1%c4n4ry/s3cret]", "it is not a URL"),
        ("http://[fe80::1%a!s3cret]", "neither a name nor an address"),
        ("http://[fe80::1%\u00fcs3cret]", "it is not a URL"),
    ],
)
def test_invalid_host_is_rejected(text: str, fault: str) -> None:
    """A password with a slash in it is not taken for a path, which the log would show."""
    with pytest.raises(ValueError, match=fault) as refused:
        parse_address(text)
    assert "s3cret" not in str(refused.value)
