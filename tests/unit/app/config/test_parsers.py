"""The parsers of host:port and of names with two forms, which `simulate` uses as well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.app.config.parsers import ListenAddress, parse_host_port, quote
from dstack_backend.app.config.settings import load


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("*:8080", ListenAddress("*", 8080)),
        ("0.0.0.0:8080", ListenAddress("0.0.0.0", 8080)),
        ("127.0.0.1:1", ListenAddress("127.0.0.1", 1)),
        ("localhost:65535", ListenAddress("localhost", 65535)),
        ("[::]:8080", ListenAddress("::", 8080)),
        ("[::1]:8080", ListenAddress("::1", 8080)),
        ("a-b.c_d.:80", ListenAddress("a-b.c_d.", 80)),
        (f"{'a' * 63}.b:80", ListenAddress(f"{'a' * 63}.b", 80)),
    ],
)
def test_host_port_is_parsed_and_shown_as_written(text: str, address: ListenAddress) -> None:
    """Host and port, IPv6 in brackets."""
    assert parse_host_port(text) == load({"LISTEN_ADDR": text}, {}).listen == address
    assert str(address) == text


def test_port_0_is_accepted_only_where_any_port_will_do() -> None:
    """`simulate --listen` takes it, `LISTEN_ADDR` does not."""
    assert parse_host_port("localhost:0", min_port=0) == ListenAddress("localhost", 0)
    with pytest.raises(ValueError, match="from 0 to 65535"):
        parse_host_port("localhost:65536", min_port=0)
    with pytest.raises(ValueError, match="from 1 to 65535"):
        parse_host_port("localhost:0")


@pytest.mark.parametrize(
    ("listen", "connect"),
    [
        ("*:80", "localhost:80"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::]:80", "[::1]:80"),
        ("[fd00::1]:80", "[fd00::1]:80"),
    ],
)
def test_connect_address_of_all_addresses_is_loopback(listen: str, connect: str) -> None:
    """A client cannot connect to `0.0.0.0` everywhere."""
    assert str(parse_host_port(listen).connect_address) == connect


@given(st.text())
def test_quoted_text_is_one_short_printable_line(text: str) -> None:
    """Whatever an environment holds."""
    assert quote(text).isprintable()
    assert quote(text).isascii()
    assert len(quote(text)) < 450
