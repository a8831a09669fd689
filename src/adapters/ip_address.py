"""The IP address of this machine: set by the operator, or that of a route."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

__all__ = ["AUTO", "advertised_address", "outgoing_address"]

AUTO = "auto"
"""The value with which the address is determined at the start."""

# Addresses for documentation (RFC 5737, RFC 3849): only the default route leads there.
_DESTINATIONS = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))

# Private addresses are not among them: node and worker may share a network.
_UNREACHABLE = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "224.0.0.0/3",  # multicast, reserved, and broadcast
        "::/127",  # unspecified, and loopback
        "::ffff:0:0/96",  # IPv4 in a form that no network carries
        "fe80::/10",  # link-local
        "ff00::/8",  # multicast
    )
)


def advertised_address(text: str) -> str:
    """Return an address in its canonical form, or `AUTO`.

    Raises:
        ValueError: It is neither, or an address at which no other machine can reach this one.
    """
    if text.lower() == AUTO:
        return AUTO
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError("it is neither an IP address nor auto") from None
    if any(address in block for block in _UNREACHABLE) or "%" in text:
        raise ValueError("other machines cannot reach this address")
    return str(address)


def outgoing_address(
    destinations: Sequence[tuple[socket.AddressFamily, str]] = _DESTINATIONS,
) -> str | None:
    """Return the source address for the first destination with a route; `None` if none has one.

    Connecting a UDP socket sends nothing: it only makes the kernel choose a route.
    """
    for family, destination in destinations:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((destination, 9))  # any port: nothing is sent
                return str(probe.getsockname()[0])
        except OSError:
            continue  # the family is not supported, or there is no route
    return None
