"""The addresses that get messages. Nothing is sent: that is what `notify --test` is for."""

from dstack_backend.adapters.apprise_notifier import StartError
from dstack_backend.app.config.settings import Settings
from dstack_backend.app.doctor.finding import Finding, Step
from dstack_backend.app.errors import UserError
from dstack_backend.app.notify.open import describe, open_targets
from dstack_backend.domain.formatting import format_duration

__all__ = ["check_notify"]

_START_REMEDIES = (
    "raise the memory limit (docker --memory, systemd MemoryMax): messages need up to 100 MB more",
    "allow the service to start processes (docker --pids-limit, systemd TasksMax)",
)


def check_notify(settings: Settings) -> Finding:
    """Check whether messages can be sent to the addresses, as far as shows without sending."""
    if not settings.notify_urls.urls:
        return Step.NOTIFY.ok("NOTIFY_URLS is not set: no messages are sent")
    try:
        targets = open_targets(settings.notify_urls, service="")
    except UserError as exc:
        example = (f"set a valid value, for example {exc.example}",) if exc.example else ()
        return Step.NOTIFY.failed(f"{exc.subject}: {exc.fault}", *example)
    except StartError as exc:
        return Step.NOTIFY.warning(f"{exc}: messages cannot be sent", *_START_REMEDIES)
    after = format_duration(settings.notify_policy.after)
    text = f"messages go to {describe(targets)} after {after} of unavailability"
    return Step.NOTIFY.ok(f"{text}; dstack-backend notify --test sends one")
