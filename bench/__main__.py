"""Runs the benchmarks, prints the tables and writes them to `docs/benchmarks.md`."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench import calls, detection, footprint, growth, throughput

PAGE = Path("docs/benchmarks.md")

PARTS: dict[str, Callable[[], list[list[str]]]] = {
    "Load on `/health`": throughput.table,
    "Load on DStack": calls.table,
    "Time until a change is visible": detection.table,
    "Footprint": footprint.table,
    "Growth with GPUs": growth.gpus_table,
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
        PAGE.write_text(page)


def _markdown(rows: list[list[str]]) -> str:
    heading, *rest = rows
    lines = [heading, ["---"] * len(heading), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
