"""Run Debian's programs that read the files of deploy/. A missing program fails the test."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

__all__ = ["DEPLOY", "documents", "program", "run"]

DEPLOY = Path(__file__).parents[2] / "deploy"

PACKAGES = {
    "amtool": "prometheus-alertmanager",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}


def program(name: str) -> str:
    """Return the path of a program; fail with its package where it is not installed."""
    path = shutil.which(name)
    assert path, f"{name} is missing: apt-get install {PACKAGES[name]}"
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
