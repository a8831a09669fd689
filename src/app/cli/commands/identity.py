"""`identity`: what an operator needs to register the node."""

from collections.abc import Mapping

from msgspec.json import encode

from dstack_backend.app.cli.commands.check import run_check
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.identity import as_text, report_identity
from dstack_backend.domain import CheckFailure

__all__ = ["run"]


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Check, print the identity, and return the exit code."""
    identity, result = run_check(environ, options)
    report = report_identity(identity, result)
    write_line(encode(report).decode() if "json" in options else as_text(report))
    return 1 if isinstance(result, CheckFailure) else 0
