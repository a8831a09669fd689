"""Write the bill of materials of the image's Python packages, as CycloneDX in JSON.

    python -m tools.sbom sbom/dstack-backend.cdx.json

Name, version and licence of each package come from an environment with the packages of the lock.
Two runs for the same lock write the same bytes.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from dstack_backend import __version__
from tools.lock import PROJECT, SERVICE


def write(output: Path, *, is_validated: bool = True) -> None:
    """Write the bill of materials, and validate it with the schema of CycloneDX: 7 s."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "venv/bin/python")
        _module("uv", "venv", "--quiet", "--python", sys.executable, f"{folder}/venv")
        lock = ("--require-hashes", "--no-deps", "-r", str(SERVICE))
        _module("uv", "pip", "install", "--quiet", "--python", str(python), *lock)
        project = Path(folder, PROJECT.name)
        project.write_text(_with_version(PROJECT.read_text()))
        validation = "--validate" if is_validated else "--no-validate"
        form = ("--output-reproducible", validation, "--output-file", str(output))
        _module("cyclonedx_py", "environment", str(python), "--pyproject", str(project), *form)


def _with_version(project: str) -> str:
    """Return a pyproject.toml that contains the version: cyclonedx-py reads no dynamic one."""
    return project.replace('dynamic = ["version"]', f'version = "{__version__}"')


def _module(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True)  # noqa: S603 - tools of this file


if __name__ == "__main__":
    write(Path(sys.argv[1]))
