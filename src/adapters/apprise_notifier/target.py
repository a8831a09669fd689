"""An address that gets messages. Starts the process that sends them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from threading import BoundedSemaphore

import msgspec

from dstack_backend.adapters.apprise_notifier.order import DONE, NOT_SENT, Order
from dstack_backend.domain.formatting import escape
from dstack_backend.domain.notification import Level

__all__ = ["BAD_URL", "AppriseTarget", "StartError", "check_urls"]

SEND_TIMEOUT = 30.0
"""Seconds for one message."""

START_TIMEOUT = 60.0
"""Seconds for the start of the process. It takes about one."""

BAD_URL = "Apprise has no service for this kind of URL, or it is incomplete"
"""What is wrong with an address that cannot be used."""

_PROGRAM = "dstack_backend.adapters.apprise_notifier.program"

_INHERITED = (
    *("HTTPS_PROXY", "https_proxy"),  # may be the only way out; it sees addresses but no message
    *("LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME"),
)
"""All variables that the process gets, beside `NO_PROXY` and `PYTHONPATH`."""

_places = BoundedSemaphore(2)
"""One address that hangs does not delay the others. A process needs 40 MB: with more at once the
memory limit of a container could be exceeded."""


class StartError(Exception):
    """The process cannot be started, for example because memory is short."""


def check_urls(urls: Sequence[str]) -> Sequence[str | None]:
    """Return the name of the service behind each address, `None` for one that cannot be used.

    It takes about a second for all of them together. Nothing is sent.

    Raises:
        ModuleNotFoundError: Apprise is not installed.
        StartError: Nothing is known about the addresses.
    """
    if find_spec("apprise") is None:
        raise ModuleNotFoundError("No module named 'apprise'", name="apprise")
    printable = (url if url.isprintable() else "" for url in urls)
    code, output = _run(Order(tuple(printable), "notifier", timeout=0.0))
    if code != DONE:
        raise StartError("Apprise does not start")
    return msgspec.json.decode(output, type=list[str | None])


class AppriseTarget:
    """One address that gets messages. Implements `MessageTarget`.

    Attributes:
        name: Name of the service behind the address, for example `Telegram`.
    """

    def __init__(
        self, url: str, service: str, timeout: float = SEND_TIMEOUT, name: str = ""
    ) -> None:
        """Store what is needed to send.

        Args:
            url: An address as Apprise defines it.
            service: Name of the service, as the sender.
            timeout: Seconds for one message.
            name: What `check_urls` returned for the address.
        """
        self.name = name
        sender = "".join(char for char in service if " " <= char <= "~").strip()
        self._order = Order((url,), sender or "notifier", timeout)

    def send(self, title: str, body: str, level: Level = Level.INFO) -> bool:
        """Send a message and return whether it was accepted. It never raises.

        It blocks for the timeout at most, and while two other addresses send. What is not printable
        is sent as JSON's escapes. What is too long for the service is cut.
        """
        title = escape(" ".join(title.split()))
        body = "\n".join(map(escape, body.splitlines()))
        order = msgspec.structs.replace(self._order, message=(title, body), level=level)
        return _run(order)[0] == DONE


def _run(order: Order) -> tuple[int, bytes]:
    """Run the process; return its exit code and its output. The timeout ends it."""
    command = [sys.executable, "-P", "-m", _PROGRAM]
    try:
        with _places:
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
        return NOT_SENT, b""
    return done.returncode, done.stdout


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    no_proxy = os.environ.get("NO_PROXY") or os.environ.get("no_proxy", "")
    return {
        **inherited,
        "NO_PROXY": f"{no_proxy},localhost,127.0.0.1,::1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
