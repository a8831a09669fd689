"""Runs all benchmarks, prints the tables and writes them to `docs/benchmarks.md`."""

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
    "Until it is seen": detection.table,
    "Footprint": footprint.table,
    "Growth with GPUs": growth.gpus_table,
    "Growth with connections": growth.connections_table,
}

INTRODUCTION = """# Benchmarks

Written by `make bench`; everything ran on loopback, in one run, on one machine, so that the numbers
of a table can be held against each other. `on demand` is the design that asks DStack for each
request, as the Rust service does, built in the same stack (`bench/on_demand.py`). nginx serves the
same bytes as a file, with one worker. wrk runs on the same machine and takes its share of it.

"""


def main() -> None:
    """Measure; a word of the command line picks the parts whose titles hold it."""
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; apt-get install wrk nginx-light")
    wanted = " ".join(sys.argv[1:]).lower()
    page = INTRODUCTION + f"{os.cpu_count()} cores, Python {platform.python_version()}.\n"
    for title, measure in PARTS.items():
        if wanted in title.lower():
            part = f"\n## {title}\n\n{_markdown(measure())}"
            print(part, flush=True)
            page += part
    if not wanted:
        PAGE.write_text(page)


def _markdown(rows: list[list[str]]) -> str:
    heading, *rest = rows
    lines = [heading, ["---"] * len(heading), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
