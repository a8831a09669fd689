"""`check`: one check, and its BackendInfo on standard output."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dstack_backend.app.cli.command import Command, Option
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config import table as t

if TYPE_CHECKING:
    from dstack_backend.domain import CheckResult, NodeIdentity

__all__ = ["COMMAND", "EXIT_CODES", "SETTINGS", "run_check"]

SETTINGS = (
    *(t.DSTACK_URL, t.DSTACK_TOKEN, t.DSTACK_TOKEN_FILE, t.DSTACK_CA_FILE, t.CHECK_TIMEOUT),
    *(t.LOG_LEVEL, t.LOG_FORMAT),
    *(t.PUBKEYS, t.NOSTR_KEY_FILE, t.NOSTR_KEY_CREATE, t.ADVERTISED_IP),
)
EXIT_CODES = "Exit code 0 if the node is available, 1 if it is not, 2 for a bad setting."


def run_check(
    environ: Mapping[str, str], options: Mapping[str, str]
) -> "tuple[NodeIdentity, CheckResult]":
    """Return the node's identity and the result of one check. Bad settings are found before it."""
    from dstack_backend.app.config.settings import load, load_dstack  # noqa: PLC0415 - slow

    settings = load(environ, options)
    from dstack_backend.adapters.stdlib_logging import set_up_logging  # noqa: PLC0415 - slow
    from dstack_backend.app.container import Container  # noqa: PLC0415 - slow
    from dstack_backend.app.server.runner import run_once  # noqa: PLC0415 - slow

    set_up_logging(settings.log_level, settings.log_format, is_queued=False)
    container = Container(settings=settings, dstack_settings=load_dstack(environ, options))
    identity = container.identity()
    return identity, run_once(container.source().list_gpus())


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    identity, result = run_check(environ, options)
    from dstack_backend.domain import assess, encode_health  # noqa: PLC0415 - slow

    response = encode_health(assess(result), identity)
    if "pretty" in options:
        from dstack_backend.app.cli.commands.check_table import as_text  # noqa: PLC0415 - slow

        write_line(as_text(result, identity))
    else:
        write_line(response.body.decode())
    return 0 if response.is_available else 1


COMMAND = Command(
    name="check",
    summary="check DStack once and print the BackendInfo",
    details=EXIT_CODES,
    run=_run,
    settings=SETTINGS,
    options=(Option("pretty", "", "print it as lines for people, not as JSON"),),
    example="--dstack-url unix:/run/dstack/vmm.sock --pretty",
)
