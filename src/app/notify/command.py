"""The command `notify`: sends a test message to each address, to all at once."""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic

from dstack_backend.app.cli.output import format_table, write_line
from dstack_backend.app.config.settings import load, setting_error
from dstack_backend.app.errors import UserError
from dstack_backend.app.identity import node_name
from dstack_backend.app.notify.messages import Writer
from dstack_backend.app.notify.open import open_targets
from dstack_backend.app.notify.sender import send_in_thread
from dstack_backend.app.server.runner import run_once
from dstack_backend.domain.backend_info import NodeIdentity
from dstack_backend.domain.notification import Message
from dstack_backend.domain.ports import MessageTarget

__all__ = ["run", "try_all"]

TIMEOUT = 25.0
"""Seconds. The addresses are tried at once."""


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Send, print what happened to each address, and return the exit code.

    Raises:
        UserError: An option or a setting cannot be used.
    """
    if "test" not in options:
        raise UserError("--test", "is required: the command sends a message to each address")
    settings = load(environ, options)
    if not settings.notify_urls.urls:
        raise setting_error("NOTIFY_URLS", "it is not set, nor is NOTIFY_URLS_FILE")
    identity = NodeIdentity(node=node_name(settings))
    targets = open_targets(settings.notify_urls, identity.service)
    message = Writer(settings.notify_language, identity).test_message()
    results = run_once(try_all(targets, message))
    rows = [
        (f"address {number} ({target.name})", text)
        for number, (target, (_, text)) in enumerate(zip(targets, results, strict=True), 1)
    ]
    write_line(format_table(rows))
    return 0 if all(is_sent for is_sent, _ in results) else 1


async def try_all(targets: Sequence[MessageTarget], message: Message) -> list[tuple[bool, str]]:
    """Send to all addresses at once. Return of each whether it was sent, and what happened."""
    return await asyncio.gather(*(_try(each, message) for each in targets))


async def _try(target: MessageTarget, message: Message) -> tuple[bool, str]:
    started = monotonic()
    try:
        is_sent = await asyncio.wait_for(send_in_thread(target, message), TIMEOUT)
    except TimeoutError:
        return False, f"timed out after {TIMEOUT:g} s"
    seconds = monotonic() - started
    if is_sent:
        return True, f"sent in {seconds:.1f} s"
    return False, f"failed after {seconds:.1f} s: refused, or the service was not reached"
