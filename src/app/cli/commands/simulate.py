"""`simulate`: a DStack for tests."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import Command, Option

__all__ = ["COMMAND"]


def _run(_environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from dstack_backend.app.simulate.command import run  # noqa: PLC0415 - slow

    run(options)


COMMAND = Command(
    name="simulate",
    summary="run a DStack for tests, with any GPUs and any fault",
    details="The first line of the output is its address, for the service.\n"
    "SLOT is one such as 3b:00.0, or the number of a GPU, from 0. The commands gpus,\n"
    "free and product-id undo what was done to single GPUs.\n"
    "Exit code 0 after a signal or at the script's end, 2 for a bad option.",
    run=_run,
    options=(
        Option("listen", "ADDR", "host:port or unix:/path; port 0: any (default: 127.0.0.1:19060)"),
        Option("gpus", "N", "number of GPUs (default: 8)"),
        Option("free", "N", "number of GPUs that are free (default: all)"),
        Option("product-id", "ID", "vendor and device (default: 10de:2335, an H200)"),
        Option("nvswitches", "N", "number of NVSwitches that are listed (default: 0)"),
        Option("token", "TEXT", "bearer token to require (default: none)"),
        Option("latency", "SECONDS", "time until an answer (default: 0)"),
        Option("fault", "NAME", "what goes wrong with each request (default: nothing)"),
        Option(
            "script",
            "FILE",
            "lines to follow, - for standard input: ok, fault NAME, crash, revive, gpus N,"
            " free N, free all, product-id ID, nvswitches N, lose SLOT, return SLOT,"
            " replace SLOT ID, allocate SLOT, release SLOT, latency S, token TEXT, wait S, end",
        ),
        Option("list-faults", "", "print each fault with the reason that a check ends with"),
    ),
    example="--gpus 4 --fault status-500",
    runs_until_signal=True,
)
