"""Namespaces of a test: a network and mounts of its own."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["own_namespaces", "prepare_namespaces"]

_WAYS = (
    ("unshare", "--mount", "--net"),
    ("unshare", "--user", "--map-root-user", "--mount", "--net"),
)


def own_namespaces() -> tuple[str, ...] | None:
    """Return the command that runs another in namespaces; `None` where this is not allowed."""
    if any(shutil.which(program) is None for program in ("unshare", "mount", "ip")):
        return None
    for way in _WAYS:
        tried = subprocess.run(
            [*way, "ip", "link", "set", "lo", "up"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return way
    return None


def prepare_namespaces(files: Mapping[str, str]) -> None:
    """Within namespaces: switch on loopback, and replace files such as `/etc/hosts`."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607 - as installed
    for path, content in files.items():
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(content)
        Path(file.name).chmod(0o644)
        command = ["mount", "--bind", file.name, path]
        subprocess.run(command, check=True)
        Path(file.name).unlink()
