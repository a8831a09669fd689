"""Sends messages through Apprise: webhooks, ntfy, Telegram, Slack, Discord, mail and many others.

To be imported only where messages are sent: Apprise needs 15 MB of memory.
"""

import logging

from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.common import PersistentStoreMode
from apprise.result import AppriseResultStatus

__all__ = ["AppriseTarget"]

SEND_TIMEOUT = 30.0
"""Seconds for one message. Apprise gives up waiting after it."""

for _name in ("apprise", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)  # their lines contain addresses


class AppriseTarget:
    """One address that gets messages. Implements `MessageTarget`."""

    def __init__(self, url: str, service: str) -> None:
        """Parse the address. Nothing is sent yet.

        Args:
            url: An address as Apprise defines it.
            service: Name of the service, as the sender.

        Raises:
            ValueError: Apprise does not know such an address. The text does not contain it.
        """
        asset = AppriseAsset(
            app_id=service,
            app_desc=service,
            app_url="",
            image_url_mask="",
            image_url_logo="",
            storage_mode=PersistentStoreMode.MEMORY,
            http_redirects=False,  # another host would get the message and its secrets
            async_mode=False,
        )
        self._apprise = Apprise(asset=asset)
        if not self._apprise.add(url):
            raise ValueError("Apprise does not know this kind of address, or it is incomplete")
        self.name = str(self._apprise[0].service_name)

    def send(self, title: str, body: str) -> bool:
        """Send a message and return whether it was accepted. May block for `SEND_TIMEOUT`."""
        result = self._apprise.notify(
            body, title=title, body_format=NotifyFormat.TEXT, timeout=SEND_TIMEOUT
        )
        return result.status is AppriseResultStatus.SUCCESS
