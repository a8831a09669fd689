"""`identity`: what an operator needs to register the node."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import JSON, Command
from dstack_backend.app.cli.commands.check import EXIT_CODES, SETTINGS, run_check
from dstack_backend.app.cli.output import write_line

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    identity, result = run_check(environ, options)
    from msgspec.json import encode  # noqa: PLC0415 - slow

    from dstack_backend.app.identity import as_text, report_identity  # noqa: PLC0415 - slow
    from dstack_backend.domain import CheckFailure  # noqa: PLC0415 - slow

    report = report_identity(identity, result)
    write_line(encode(report).decode() if "json" in options else as_text(report))
    return 1 if isinstance(result, CheckFailure) else 0


COMMAND = Command(
    name="identity",
    summary="print public keys and node type, for registration",
    details=EXIT_CODES,
    run=_run,
    settings=SETTINGS,
    options=(JSON,),
    example="--nostr-key-file /var/lib/dstack-backend/key",
)
