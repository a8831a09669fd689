"""The command `notify`: sends a test message to one address after the other."""

from collections.abc import Callable, Mapping
from time import monotonic

from dstack_backend.adapters.apprise_notifier import StartError
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import load, setting_error
from dstack_backend.app.errors import UserError
from dstack_backend.app.identity import node_name
from dstack_backend.app.notify.messages import Writer
from dstack_backend.app.notify.open import open_targets
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.notification import Message
from dstack_backend.domain.ports import MessageTarget

__all__ = ["run", "try_to_send"]

NO_ANSWER = 25.0
"""Seconds after which a failure means that there was no answer. A target waits for 30 s."""


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Send, print a line for each address as soon as it is known, and return the exit code.

    Raises:
        UserError: An option or a setting cannot be used.
    """
    if "test" not in options:
        raise UserError("--test", "is required: the command sends a message to each address")
    settings = load(environ, options)
    if not settings.notify_urls.urls:
        raise setting_error("NOTIFY_URLS", "it is not set, nor is NOTIFY_URLS_FILE")
    identity = NodeIdentity(node=node_name(settings))
    try:
        targets = open_targets(settings.notify_urls, identity.service)
    except StartError as exc:
        raise UserError("", f"{exc}; see dstack-backend doctor", exit_code=1) from None
    message, code = Writer(settings.notify_language, identity).test_message(), 0
    for number, target in enumerate(targets, 1):
        is_sent, text = try_to_send(target, message)
        write_line(f"address {number} ({target.name}): {text}")
        code = code if is_sent else 1
    return code


def try_to_send(
    target: MessageTarget, message: Message, clock: Callable[[], float] = monotonic
) -> tuple[bool, str]:
    """Send a message; return whether it was sent, and what happened."""
    started = clock()
    is_sent = target.send(message.title, message.body, message.level)
    seconds = clock() - started
    if is_sent:
        return True, f"sent in {seconds:.1f} s"
    if seconds > NO_ANSWER:
        return False, f"timed out: no answer within {seconds:.0f} s"
    return False, f"failed after {seconds:.1f} s: refused, or the service was not reached"
