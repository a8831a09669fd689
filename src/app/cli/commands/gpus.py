"""`gpus`: each GPU, its use, and the missing ones, from the file of the service."""

from collections.abc import Mapping

from dstack_backend.app.cli.command import JSON, Command, Option
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config import table as t

__all__ = ["COMMAND"]


def _run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    from msgspec.json import encode  # noqa: PLC0415 - slow

    from dstack_backend.adapters.system_clock import SystemClock  # noqa: PLC0415 - slow
    from dstack_backend.app.cli.commands import gpus_table  # noqa: PLC0415 - slow
    from dstack_backend.app.cli.commands.stored import forget_gpus, read_stored  # noqa: PLC0415 - slow
    from dstack_backend.app.config.settings import load_history_folder  # noqa: PLC0415 - slow

    folder, now, done = load_history_folder(environ, options), SystemClock().utc(), ""
    stored = read_stored(folder)
    if folder and "forget" in options:
        stored, done = forget_gpus(folder, stored, options["forget"], now)
    report = gpus_table.stored_gpu_report(stored, now)
    if "json" in options:
        write_line(encode(report).decode())
    else:
        write_line("\n\n".join(filter(None, [done, gpus_table.as_text(report, now)])))
    return int(report.degraded and not done)


COMMAND = Command(
    name="gpus",
    summary="print the GPUs, their use, and which are missing",
    details="The data are those of the service's history file, whether it runs or not.\n"
    "Exit code 0 if no GPU is missing, or one was forgotten; 1 if GPUs are missing or\n"
    "none is known; 2 for a bad setting or option.",
    run=_run,
    settings=(t.DATA_DIR, t.HISTORY),
    options=(
        Option("forget", "SLOT", "no longer report the GPU of this slot as missing"),
        JSON,
    ),
    example="--data-dir /var/lib/dstack-backend --forget 3b:00.0",
)
