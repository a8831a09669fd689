"""Runs the benchmarks, prints the tables and writes them to `docs/benchmarks.md`."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench import calls, detection, footprint, growth, throughput, tracking

PAGE = Path("docs/benchmarks.md")

PARTS: dict[str, Callable[[], list[list[str]]]] = {
    "Load on `/health`": throughput.table,
    "Load on DStack": calls.table,
    "Time until a change is visible": detection.table,
    "Footprint": footprint.table,
    "Growth with GPUs": growth.gpus_table,
    "GPUs tracked: cost per check": tracking.table,
    "Growth with connections": growth.connections_table,
}

INTRODUCTION = """# Benchmarks

Written by `make bench`. All numbers are from one run on one machine, over loopback, so that the
rows of a table can be compared.

- `dstack-backend` is this service.
- `on demand` is a service that calls DStack for each request, as the Rust service does. It uses the
  same HTTP server and client (`bench/on_demand.py`).
- `nginx` serves the same bytes as a file, with one worker.

wrk runs on the same machine and takes its share of the processors. nginx and dstack-backend (DStack
takes 0 ms) are measured in turn, three times each; the row is the median by rate.

"""

NOTES = """
## Where the time goes

A profile of one second with 256 connections on two cores: a request costs about 20 µs of processor
time in three threads. The event loop takes half of it, granian's network thread a third, and
granian's thread that creates the ASGI scope the rest. The code of this repository takes about 2 µs.

Garbage collection was the cause of a p99 of 25 to 43 ms at 256 connections: each full collection
walked all modules and the application. `run` excludes them (`gc.freeze`), and p99 is 6 to 8 ms.
What remains is not garbage collection: disabling it, higher thresholds, other switch intervals and
a second network thread were tried in turn with this, and made no difference.
"""


def main() -> None:
    """Run the parts whose title contains the words of the command line; without words, all."""
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; run: apt-get install wrk nginx-light")
    words = " ".join(sys.argv[1:]).lower()
    page = INTRODUCTION + f"{os.cpu_count()} cores, Python {platform.python_version()}.\n"
    for title, measure in PARTS.items():
        if words in title.lower():
            part = f"\n## {title}\n\n{_markdown(measure())}"
            print(part, flush=True)
            page += part
    if not words:
        PAGE.write_text(page + NOTES)


def _markdown(rows: list[list[str]]) -> str:
    heading, *rest = rows
    lines = [heading, ["---"] * len(heading), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
