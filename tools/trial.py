"""Runs of the unit tests over a copy of the tree, each in a forked process."""

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
"""Loaded before the fork. The project must not be among them: each trial loads the mutant."""

FIRST = ["tests/unit/domain"]
"""The domain's own tests: most mutants fail one of them within a second."""

ALL = ["tests/unit"]

OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"),
    *("-p", "pytest_timeout", "--hypothesis-seed=1"),
)

MAX_DURATION = 180.0
"""Seconds after which a mutant with an endless loop counts as killed."""

MAX_MEMORY = 2 * 1024**3
"""Bytes of memory for a trial: an endless loop can fill a list."""


def copy_tree(folder: Path) -> None:
    """Copy what the unit tests need, and create the link to the package."""
    for name in ("src", "tests", "docs", "tools"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in Path().glob("*.*"):
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "dstack_backend").symlink_to("src")


def pass_unchanged(folder: Path) -> bool:
    """Return whether the tests pass without a mutant."""
    return _pass(folder, FIRST, output=True) and _pass(folder, ALL, output=True)


def survives(folder: Path) -> bool:
    """Return whether all unit tests pass."""
    for cache in (folder / "src/domain").rglob("__pycache__"):
        shutil.rmtree(cache)
    shutil.rmtree(folder / ".hypothesis", ignore_errors=True)
    return _pass(folder, FIRST) and _pass(folder, ALL)


def _pass(folder: Path, tests: list[str], *, output: bool = False) -> bool:
    """Run these tests in a forked process, in a process group that can be killed as a whole."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _run_and_exit(folder, tests, output=output)
    deadline = time.monotonic() + MAX_DURATION
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_and_exit(folder: Path, tests: list[str], *, output: bool) -> None:
    """Run the tests and exit; this function does not return."""
    try:
        os.setpgrp()
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
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
