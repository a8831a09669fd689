"""`demo`: the service against a simulated DStack."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import Command
from dstack_backend.app.config.table import SETTINGS

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.simulate.demo import run  # noqa: PLC0415 - slow

    run(environ, options)


COMMAND = Command(
    name="demo",
    summary="serve against a simulated DStack with eight H200s",
    details="GPUs are allocated and released. Now and then one is lost, or DStack is gone.\n"
    "Exit code 0 after SIGTERM, SIGHUP or Ctrl-C, 2 for a bad setting.",
    run=_run,
    settings=tuple(each for each in SETTINGS if not each.variable.startswith("DSTACK_")),
    defaults={"LISTEN_ADDR": "127.0.0.1:8080", "CHECK_INTERVAL": "2", "HISTORY": "off"},
    example="--listen-addr 127.0.0.1:8090",
    runs_until_signal=True,
)
