"""What the process that sends is asked to do, on its standard input, and its exit codes."""

from msgspec import Struct

__all__ = ["BAD_URL", "NOT_SENT", "SENT", "Order"]

SENT, NOT_SENT, BAD_URL = 0, 3, 4
"""Exit codes. Python itself ends with 1 or 2."""


class Order(Struct, frozen=True):
    """One message for one address.

    Attributes:
        url: The address.
        sender: Name of the sender: printable ASCII, because it is sent as an HTTP header.
        timeout: Seconds for sending.
        message: Title and body; `None` to check the address only.
    """

    url: str
    sender: str
    timeout: float
    message: tuple[str, str] | None = None
