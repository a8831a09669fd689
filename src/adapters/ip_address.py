"""The address of this machine: as the operator names it, or as the kernel chooses it by a route."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address

__all__ = ["AUTO", "advertised_address", "outgoing_address"]

AUTO = "auto"
"""What the operator writes to have the address found."""

# Addresses kept for documentation (RFC 5737, RFC 3849): no route but the default one leads there.
# The port means nothing.
_FAR_AWAY = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_PORT = 9


def advertised_address(text: str) -> str:
    """Give the address that an operator named in its usual form, or `AUTO`.

    Raises:
        ValueError: It is neither, or an address that no single machine has.
    """
    if text.lower() == AUTO:
        return AUTO
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError("it is neither an IP address nor auto") from None
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise ValueError("it is no address at which others reach this machine")
    return str(address)


def outgoing_address(
    destinations: Sequence[tuple[socket.AddressFamily, str]] = _FAR_AWAY,
) -> str | None:
    """Give the source address for the first destination that has a route; `None`: none has.

    Connecting a UDP socket sends nothing: it only makes the kernel choose.

    Args:
        destinations: Family and address; by default those of the default routes, IPv4 first.
    """
    for family, destination in destinations:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((destination, _PORT))
                return str(probe.getsockname()[0])
        except OSError:
            continue  # no such protocol here, or no route
    return None
