"""What the process that sends is asked to do, on its standard input, and its exit codes."""

from msgspec import Struct

__all__ = ["DONE", "NOT_SENT", "Order"]

DONE, NOT_SENT = 0, 3
"""Exit codes. Python itself ends with 1 or 2."""


class Order(Struct, frozen=True):
    """One message for some addresses, or their check.

    Attributes:
        urls: The addresses. They contain secrets.
        sender: Name of the sender: printable ASCII, because it is sent as an HTTP header.
        timeout: Seconds for sending.
        message: Title and body; `None` to check the addresses only. Then standard output is a list
            with the name of the service for each address, and null for one that cannot be used.
        level: Whether the message is good or bad news.
    """

    urls: tuple[str, ...]
    sender: str
    timeout: float
    message: tuple[str, str] | None = None
    level: str = "info"

    def __repr__(self) -> str:
        return f"Order({len(self.urls)} addresses)"
