"""Opens what the settings name: the addresses that get messages."""

from collections.abc import Sequence

from dstack_backend.adapters.apprise_notifier import AppriseTarget
from dstack_backend.app.config.notify_urls import NotifyUrls
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.app.errors import missing_extra
from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.app.notify.messages import Writer
from dstack_backend.app.notify.sender import Notifications
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.ports import MessageTarget

__all__ = ["open_notifications", "open_targets"]


def open_notifications(
    settings: Settings, identity: NodeIdentity, clock: Clock
) -> Notifications | None:
    """Return what sends messages; `None` where no address is set.

    Raises:
        UserError: An address cannot be used, or the extra is not installed.
    """
    if not settings.notify_urls.urls:
        return None
    targets = open_targets(settings.notify_urls, identity.service)
    writer = Writer(settings.notify_language, identity)
    return Notifications(targets, writer.message, settings.notify_policy, clock)


def open_targets(urls: NotifyUrls, service: str) -> Sequence[MessageTarget]:
    """Return the addresses. Nothing is sent.

    Raises:
        UserError: One of them cannot be used, or the extra is not installed.
    """
    try:
        return [_open(urls, number, service) for number in range(1, len(urls.urls) + 1)]
    except ModuleNotFoundError as exc:
        raise missing_extra(exc, urls.variable) or exc from None


def _open(urls: NotifyUrls, number: int, service: str) -> MessageTarget:
    try:
        return AppriseTarget(urls.urls[number - 1], service)
    except ValueError as exc:
        raise setting_error(urls.variable, f"entry {number}: {exc}") from None
