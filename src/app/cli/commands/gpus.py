"""`gpus`: each GPU, its use, and the missing ones, from the file of the service."""

from collections.abc import Mapping

from msgspec.json import encode

from dstack_backend.adapters.system_clock import SystemClock
from dstack_backend.app.cli.commands.gpus_table import as_text, stored_gpu_report
from dstack_backend.app.cli.commands.stored import forget_gpus, read_stored
from dstack_backend.app.cli.output import write_line
from dstack_backend.app.config.settings import load_history_folder

__all__ = ["run"]


def run(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    """Forget GPUs if asked to, print the others, and return the exit code."""
    folder, now, done = load_history_folder(environ, options), SystemClock().utc(), ""
    stored = read_stored(folder)
    if folder and "forget" in options:
        stored, done = forget_gpus(folder, stored, options["forget"], now)
    report = stored_gpu_report(stored, now)
    if "json" in options:
        write_line(encode(report).decode())
    else:
        write_line("\n\n".join(filter(None, [done, as_text(report, now)])))
    return int(report.degraded and not done)
