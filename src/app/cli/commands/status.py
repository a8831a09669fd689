"""`status`: what the running services of one node or many say."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import JSON, Command, Option
from dstack_backend.app.config.table import LISTEN_ADDR

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.status.command import run  # noqa: PLC0415 - slow

    return run(environ, options)


COMMAND = Command(
    name="status",
    summary="print what the running services of the nodes say",
    details="One line per node, also for a node that does not answer within 5 s.\n"
    "Exit code 0 if all are available and no GPU is missing, 1 otherwise; 2 for a bad\n"
    "address or option. Ctrl-C ends --watch with 0.",
    run=_run,
    settings=(LISTEN_ADDR,),
    argument=Option(
        "urls",
        "URL",
        "http(s)://host:8080, host:8080 or host, with a path or without; by default the"
        " service on this machine",
    ),
    options=(
        Option("file", "FILE", "more addresses: one per line, # begins a comment"),
        Option("watch", "", "print again with each change; on a terminal redraw in place"),
        JSON._replace(help="print one JSON object, with --watch one per change"),
    ),
    example="gpu-01 gpu-02:8090 https://example.net/gpu-03 --watch",
)
