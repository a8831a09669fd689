"""`doctor`: what is wrong, step by step, and what to do."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import JSON, Command
from dstack_backend.app.config.table import SETTINGS

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.doctor.command import run  # noqa: PLC0415 - slow

    run(environ, options, json="json" in options)


COMMAND = Command(
    name="doctor",
    summary="find out what is wrong, and say what to do",
    details="Exit code 0 if no step failed, 1 if one failed, 2 for a bad setting.",
    run=_run,
    settings=SETTINGS,
    options=(JSON._replace(help="print one JSON object without secrets, for tickets"),),
    example="--dstack-url unix:/run/dstack/vmm.sock",
)
