"""`notify`: a test message to each address."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import Command, Option
from dstack_backend.app.config import table as t

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.notify.command import run  # noqa: PLC0415 - slow

    return run(environ, options)


COMMAND = Command(
    name="notify",
    summary="send a test message to each address of NOTIFY_URLS",
    details="Exit code 0 if all were sent, 1 if one was not, 2 for a bad setting or option.",
    run=_run,
    settings=(t.NOTIFY_URLS, t.NOTIFY_URLS_FILE, t.NOTIFY_LANGUAGE, t.NODE_NAME),
    options=(Option("test", "", "send it; required"),),
    example="--test --notify-urls-file /run/secrets/notify-urls",
)
