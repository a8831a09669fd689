"""`check`: one check, and its BackendInfo on standard output."""

from collections.abc import Mapping

from dstack_backend.adapters.stdlib_logging import set_up_logging
from dstack_backend.app.cli.commands.check_table import as_text
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import load, load_dstack
from dstack_backend.domain import CheckResult, NodeIdentity, assess, encode_health

__all__ = ["run", "run_check"]


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Check, print the result, and return the exit code."""
    identity, result = run_check(environ, options)
    response = encode_health(assess(result), identity)
    is_pretty = "pretty" in options
    write_line(as_text(result, identity) if is_pretty else response.body.decode())
    return 0 if response.is_available else 1


def run_check(
    environ: Mapping[str, str], options: Mapping[str, str]
) -> tuple[NodeIdentity, CheckResult]:
    """Return the node's identity and the result of one check. Bad settings are found before it."""
    settings = load(environ, options)
    from dstack_backend.app.container import Container  # noqa: PLC0415 - slow
    from dstack_backend.app.server.runner import run_once  # noqa: PLC0415 - slow

    set_up_logging(settings.log_level, settings.log_format, is_queued=False)
    container = Container(settings=settings, dstack_settings=load_dstack(environ, options))
    identity = container.identity()
    return identity, run_once(container.source().list_gpus())
