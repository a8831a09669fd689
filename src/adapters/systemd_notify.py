"""Notifies systemd (`Type=notify`), as sd_notify(3) describes."""

import os
import socket
from contextlib import suppress

__all__ = ["notify_systemd"]


def notify_systemd(state: str) -> None:
    """Send a state such as `READY=1` to the socket in NOTIFY_SOCKET, if there is one.

    It never waits: a state that systemd cannot receive now is lost.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"  # an abstract socket
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), socket.MSG_DONTWAIT, address)
