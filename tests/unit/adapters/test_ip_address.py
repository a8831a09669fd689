"""The address of the route to the internet."""

import socket

import pytest

from dstack_backend.adapters.ip_address import outgoing_address

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
LOCAL = (IPV4, "127.0.0.1")
UNREACHABLE = (IPV4, "255.255.255.255")  # connecting to the broadcast address is not allowed


@pytest.mark.parametrize(
    ("destinations", "address"),
    [
        ([LOCAL], "127.0.0.1"),
        ([UNREACHABLE, LOCAL], "127.0.0.1"),
        ([UNREACHABLE], None),
        ([(IPV6, "127.0.0.1")], None),
        ([], None),
    ],
)
def test_address_is_that_of_the_first_route(
    destinations: list[tuple[socket.AddressFamily, str]], address: str | None
) -> None:
    """A destination without a route is skipped; without any there is no address."""
    assert outgoing_address(destinations) == address
