"""Opens what the settings name: the addresses that get messages."""

import logging
from collections.abc import Sequence

from dstack_backend.adapters.apprise_notifier import BAD_URL, AppriseTarget, StartError, check_urls
from dstack_backend.app.config.notify_urls import NotifyUrls
from dstack_backend.app.config.settings import Settings, setting_error
from dstack_backend.app.errors import missing_extra
from dstack_backend.app.monitoring.clock import Clock
from dstack_backend.app.notify.messages import Writer
from dstack_backend.app.notify.sender import Notifications
from dstack_backend.domain.backend_info import DSTACK, NodeIdentity
from dstack_backend.domain.ports import MessageTarget

__all__ = ["describe", "open_notifications", "open_targets"]

_log = logging.getLogger(__name__)


def open_notifications(
    settings: Settings, identity: NodeIdentity, clock: Clock
) -> Notifications | None:
    """Return what sends messages; `None` where no address is set.

    Where Apprise does not start, the addresses are used without a check: it may start later.

    Raises:
        UserError: An address cannot be used, or the extra is not installed.
    """
    if not settings.notify_urls.urls:
        return None
    try:
        targets = open_targets(settings.notify_urls, identity.service)
        _log.info("messages go to %s", describe(targets))
    except StartError as exc:
        _log.warning("messages cannot be sent: %s%s", exc, advice(identity, "doctor"))
        urls = settings.notify_urls.urls
        targets = [AppriseTarget(url, identity.service, name="not checked") for url in urls]
    writer = Writer(settings.notify_language, identity)
    hint = advice(identity, "notify --test")
    return Notifications(targets, writer.message, settings.notify_policy, clock, hint)


def advice(identity: NodeIdentity, command: str) -> str:
    """Return the end of a log line: the command that helps. An embedder may not have it."""
    return f"; see dstack-backend {command}" if identity.source == DSTACK else ""


def open_targets(urls: NotifyUrls, service: str) -> Sequence[MessageTarget]:
    """Return the addresses. Nothing is sent.

    Raises:
        StartError: Apprise does not start, so that nothing is known about the addresses.
        UserError: One of them cannot be used, or the extra is not installed.
    """
    try:
        names = check_urls(urls.urls)
    except ModuleNotFoundError as exc:
        raise missing_extra(exc, urls.variable) or exc from None
    if None in names:
        raise setting_error(urls.variable, f"address {names.index(None) + 1}: {BAD_URL}")
    named = zip(urls.urls, names, strict=True)
    return [AppriseTarget(url, service, name=name or "") for url, name in named]


def describe(targets: Sequence[MessageTarget]) -> str:
    """Return how many addresses there are, and of which services."""
    names = ", ".join(dict.fromkeys(each.name for each in targets))
    return f"{len(targets)} {'address' if len(targets) == 1 else 'addresses'} ({names})"
