"""One run of the unit tests over a copy of the tree, each in a process that was forked for it."""

import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import httpx
import hypothesis
import msgspec
import pytest

__all__ = ["copy_tree", "pass_unchanged", "survives"]

LOADED = (httpx, hypothesis, msgspec, pytest)
"""What each trial finds loaded. Nothing of ours may be here: each trial loads the mutant."""

OURS = (
    *("monitor", "gpu_model", "backend_info", "change", "status", "report", "failure", "values"),
    *("history", "gaps", "identity_domain"),
)
LONGER = ("monitor_machine", "monitor_properties")
FIRST = [f"tests/unit/test_{name}.py" for name in (*OURS, *LONGER)]
"""The domain's own tests: most mutants fall to them within a second."""

ALL = ["tests/unit"]

OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"),
    *("-p", "pytest_timeout", "--hypothesis-seed=1"),
)

LONGEST = 180.0
"""Seconds after which a mutant that keeps the tests busy counts as killed."""

MOST_MEMORY = 2 * 1024**3
"""Bytes that a trial may have: a loop that never ends can fill a list."""


def copy_tree(folder: Path) -> None:
    """Copy what the unit tests need. The link stands for the folder, as at home."""
    for name in ("src", "tests", "docs", "tools"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in Path().glob("*.*"):
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "dstack_backend").symlink_to("src")


def pass_unchanged(folder: Path) -> bool:
    """Say whether the tests pass as they are."""
    return _ends_well(folder, FIRST, output=True) and _ends_well(folder, ALL, output=True)


def survives(folder: Path) -> bool:
    """Say whether all unit tests pass."""
    shutil.rmtree(folder / "src/domain/__pycache__", ignore_errors=True)
    shutil.rmtree(folder / ".hypothesis", ignore_errors=True)
    return _ends_well(folder, FIRST) and _ends_well(folder, ALL)


def _ends_well(folder: Path, tests: list[str], *, output: bool = False) -> bool:
    """Run these tests in a process of its own; a process group, so that it ends with all it has."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _become_trial(folder, tests, output=output)
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _become_trial(folder: Path, tests: list[str], *, output: bool) -> None:
    """Never returns."""
    try:
        os.setpgrp()
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        os.chdir(folder)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        sys.path[:] = [str(folder), *(each for each in sys.path if Path(each) != Path.cwd())]
        if not output:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
        code = int(pytest.main([*OPTIONS, *tests]))
        sys.stdout.flush()
        os._exit(code)
    finally:
        os._exit(99)
