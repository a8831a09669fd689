"""`serve`: the service, until a signal ends it."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import Command
from dstack_backend.app.config.table import SETTINGS

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.config.settings import load, load_dstack  # noqa: PLC0415 - slow

    settings = load(environ, options)
    from dstack_backend.app.container import Container  # noqa: PLC0415 - slow
    from dstack_backend.app.server.serve import run  # noqa: PLC0415 - slow

    run(Container(settings=settings, dstack_settings=load_dstack(environ, options)))


COMMAND = Command(
    name="serve",
    summary="serve /health and the page; the same as no command",
    details="Exit code 0 after SIGTERM, SIGHUP or Ctrl-C, 2 for a bad setting.",
    run=_run,
    settings=SETTINGS,
    example="--dstack-url unix:/run/dstack/vmm.sock",
    runs_until_signal=True,
)
