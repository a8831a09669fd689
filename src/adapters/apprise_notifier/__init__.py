"""Sends messages through Apprise: webhooks, ntfy, Telegram, Slack, Discord, mail and many others.

Apprise runs in a process of its own, which exists only while a message is sent:

- Apprise imports all of its services: 28 MB that the process of the service does not need.
- It has no limit for the time of a message or the size of a response. A process can be ended.
- Its libraries read the environment (`.netrc`, authorities, proxies, `SSLKEYLOGFILE`), log
  addresses, and warn on standard error. A process can have another environment and no output.
"""

from dstack_backend.adapters.apprise_notifier.target import (
    BAD_URL,
    AppriseTarget,
    StartError,
    check_urls,
)

__all__ = ["BAD_URL", "AppriseTarget", "StartError", "check_urls"]
