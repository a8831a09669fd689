"""Write the lock files, or with `--check` report whether they are up to date.

| file                       | for       | contents                                    |
|----------------------------|-----------|---------------------------------------------|
| `requirements/service.txt` | the image | the package with all its extras but testing, |
|                            |           | without the packages of `excludes.txt`       |
| `requirements/build.txt`   | the image | the builder of the wheel                    |
| `requirements/dev.txt`     | `.venv`   | all extras and the development tools        |

All have hashes and hold for each supported Python. Locked versions stay while pyproject.toml
allows them. What the image needs must have wheels for each supported Python, for amd64 and arm64:
it has no compiler.
"""

import itertools
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path("pyproject.toml")
SERVICE = Path("requirements/service.txt")
BUILD = Path("requirements/build.txt")
EXCLUDES = Path("requirements/excludes.txt")

LOCKS = {
    SERVICE: [
        *(str(PROJECT), "--extra", "server", "--extra", "nostr", "--extra", "notify"),
        *("--excludes", str(EXCLUDES)),
    ],
    BUILD: ["--group", "build"],
    Path("requirements/dev.txt"): [str(PROJECT), "--all-extras", "--group", "dev"],
}

PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")


def supported_pythons() -> list[str]:
    """Return the versions in the classifiers of the project, the oldest first."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    versions = (
        each.rpartition(" :: ")[2] for each in project["classifiers"] if "Python ::" in each
    )
    return sorted(versions, key=lambda version: [int(part) for part in version.split(".")])


def resolve(lock: Path, requirements: Sequence[str], output: Path) -> None:
    """Resolve the requirements into `output`, starting with the versions in `lock`."""
    if lock.exists():
        shutil.copy(lock, output)
    options = ("--quiet", "--universal", "--python-version", supported_pythons()[0])
    form = ("--generate-hashes", "--no-annotate", "--custom-compile-command", "make lock")
    _uv("compile", *options, *form, *requirements, "--output-file", str(output))


def check_wheels(lock: Path) -> None:
    """Fail where a package of the lock has no wheel for a supported Python on a platform."""
    for version, name in itertools.product(supported_pythons(), PLATFORMS):
        platform = ("--python-version", version, "--python-platform", name)
        options = ("--quiet", "--dry-run", "--only-binary", ":all:", "--no-deps")
        with tempfile.TemporaryDirectory() as target:
            _uv("install", *options, *platform, "--target", target, "-r", str(lock))


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "pip", *arguments], check=True)  # noqa: S603 - uv


def main() -> None:
    """Write or check each lock file."""
    is_check = "--check" in sys.argv[1:]
    stale: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        for lock, requirements in LOCKS.items():
            output = Path(folder) / lock.name
            resolve(lock, requirements, output)
            if not lock.exists() or lock.read_text() != output.read_text():
                stale.append(lock)
                if not is_check:
                    shutil.copy(output, lock)
    if is_check and stale:
        sys.exit(f"not up to date: {', '.join(map(str, stale))}; run: make lock")
    for lock in (SERVICE, BUILD):
        check_wheels(lock)


if __name__ == "__main__":
    main()
