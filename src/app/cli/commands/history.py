"""`history`: the latest changes and the uptime, from the files of the service."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import JSON, Command, Option
from dstack_backend.app.config import table as t

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.cli.history import run  # noqa: PLC0415 - slow

    return run(environ, options)


COMMAND = Command(
    name="history",
    summary="print the latest changes and the uptime",
    details="Exit code 0, or 1 if there is no history; 2 for a bad setting or option.",
    run=_run,
    settings=(t.DATA_DIR, t.HISTORY),
    options=(
        Option("limit", "N", "number of changes at most (default: 20)"),
        Option("since", "TIME", "only changes from then on; ISO 8601, without a zone in UTC"),
        Option("until", "TIME", "only changes before then"),
        JSON,
    ),
    example="--data-dir /var/lib/dstack-backend --since 2026-11-24",
)
