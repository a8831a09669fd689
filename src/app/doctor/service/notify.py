"""The addresses that get messages. Nothing is sent: that is what `notify --test` is for."""

from collections import Counter

from dstack_backend.app.config.settings import Settings
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.app.errors import UserError
from dstack_backend.app.notify.open import open_targets
from dstack_backend.domain.formatting import format_duration

__all__ = ["check_notify"]


def check_notify(settings: Settings) -> Finding:
    """Check whether messages can be sent to the addresses, as far as shows without sending."""
    if not settings.notify_urls.urls:
        return Step.NOTIFY.ok("NOTIFY_URLS is not set: no messages are sent")
    try:
        targets = open_targets(settings.notify_urls, service="")
    except UserError as exc:
        example = (f"set a valid value, for example {exc.example}",) if exc.example else ()
        return Step.NOTIFY.failed(f"{exc.subject}: {exc.fault}", *example)
    counts = Counter(each.name for each in targets)
    names = ", ".join(f"{count} {name}" for name, count in counts.items())
    after = format_duration(settings.notify_policy.after)
    text = f"messages go to {names} after {after} of unavailability"
    return Step.NOTIFY.ok(f"{text}; dstack-backend notify --test sends one")
