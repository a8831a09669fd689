"""An address that gets messages. Starts the process that sends them."""

import os
import subprocess
import sys
from importlib.util import find_spec
from threading import Lock

import msgspec

from dstack_backend.adapters.apprise_notifier.order import BAD_URL, NOT_SENT, SENT, Order
from dstack_backend.domain.formatting import escape

__all__ = ["AppriseTarget"]

SEND_TIMEOUT = 30.0
"""Seconds for one message."""

START_TIMEOUT = 60.0
"""Seconds for the start of the process. It takes about one."""

_PROGRAM = "dstack_backend.adapters.apprise_notifier.program"

_INHERITED = (
    *("HTTPS_PROXY", "https_proxy"),  # may be the only way out; it sees addresses but no message
    *("LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME"),
)
"""All variables that the process gets, beside `NO_PROXY` and `PYTHONPATH`."""

_one_at_a_time = Lock()
"""A process needs 50 MB. Several at once could exceed the memory limit of a container."""


class AppriseTarget:
    """One address that gets messages. Implements `MessageTarget`.

    Attributes:
        name: Name of the service behind the address, for example `Telegram`.
    """

    def __init__(self, url: str, service: str, timeout: float = SEND_TIMEOUT) -> None:
        """Check the address, which takes about a second. Nothing is sent yet.

        Args:
            url: An address as Apprise defines it.
            service: Name of the service, as the sender.
            timeout: Seconds for one message.

        Raises:
            ModuleNotFoundError: Apprise is not installed.
            ValueError: The address cannot be used. The text does not contain it.
        """
        if find_spec("apprise") is None:
            raise ModuleNotFoundError("No module named 'apprise'", name="apprise")
        sender = "".join(char for char in service if " " <= char <= "~").strip()
        self._order = Order(url, sender or "notifier", timeout)
        code, self.name = _run(self._order) if url.isprintable() else (BAD_URL, "")
        if code == BAD_URL:
            raise ValueError("Apprise has no service for this kind of URL, or it is incomplete")
        if code != SENT:
            raise ValueError("Apprise cannot be started")

    def send(self, title: str, body: str) -> bool:
        """Send a message and return whether it was accepted. It never raises.

        It blocks for the timeout at most, and while other addresses send. What is not printable is
        sent as JSON's escapes. What is too long for the service is cut.
        """
        message = (escape(" ".join(title.split())), "\n".join(map(escape, body.splitlines())))
        return _run(msgspec.structs.replace(self._order, message=message))[0] == SENT


def _run(order: Order) -> tuple[int, str]:
    """Run the process; return its exit code and its output. The timeout ends it."""
    command = [sys.executable, "-P", "-m", _PROGRAM]
    try:
        with _one_at_a_time:
            done = subprocess.run(  # noqa: S603 - nothing of the address is in the command
                command,
                input=msgspec.json.encode(order),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                timeout=START_TIMEOUT + order.timeout,
                check=False,
            )
    except (OSError, subprocess.SubprocessError):
        return NOT_SENT, ""
    return done.returncode, done.stdout.decode(errors="replace").strip()


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    no_proxy = os.environ.get("NO_PROXY") or os.environ.get("no_proxy", "")
    return {
        **inherited,
        "NO_PROXY": f"{no_proxy},localhost,127.0.0.1,::1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
