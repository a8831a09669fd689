"""Writes the lock files, or with `--check` says whether they are up to date.

`requirements/service.txt` holds what the service needs, with the extra `nostr`;
`requirements/build.txt` what builds its wheel; both are for the container. `requirements/dev.txt`
holds the service's and what development needs. All have hashes and hold for each supported Python.
What stands in them already stays, as long as pyproject.toml allows it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = {
    Path("requirements/service.txt"): ["pyproject.toml", "--extra", "server", "--extra", "nostr"],
    Path("requirements/build.txt"): ["--group", "build"],
    Path("requirements/dev.txt"): [
        *("pyproject.toml", "--all-extras", "--group", "dev"),
    ],
}


def compile_lock(lock: Path, what: list[str], output: Path) -> None:
    """Resolve into `output`, beginning with what `lock` holds."""
    if lock.exists():
        shutil.copy(lock, output)
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"),
        *("--python-version", "3.11", "--generate-hashes", "--no-annotate"),
        *("--custom-compile-command", "make lock"),
        *what,
        *("--output-file", str(output)),
    ]
    subprocess.run(command, check=True)  # noqa: S603 - the command is above


def main() -> None:
    """Write or check each lock file."""
    check = "--check" in sys.argv[1:]
    stale: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        for lock, what in LOCKS.items():
            output = Path(folder) / lock.name
            compile_lock(lock, what, output)
            if not lock.exists() or lock.read_text() != output.read_text():
                stale.append(lock)
                if not check:
                    shutil.copy(output, lock)
    if check and stale:
        sys.exit(f"not up to date: {', '.join(map(str, stale))}; run: make lock")


if __name__ == "__main__":
    main()
