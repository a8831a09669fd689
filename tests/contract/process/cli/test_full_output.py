"""Standard output or standard error on a full disk, for each command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, free_port

PROGRAM = (sys.executable, "-m", "dstack_backend")
COMMANDS = (
    *(["check"], ["identity"], ["identity", "--json"], ["doctor"], ["doctor", "--json"]),
    *(["check", "--pretty"], ["status"], ["status", "--watch"], ["status", "--watch", "--json"]),
    *(["--help"], ["check", "--help"], ["--version"]),
    *(["--print-completion", shell] for shell in ("bash", "zsh", "tcsh")),
    *(["simulate", "--list-faults"], ["simulate", "--listen", "127.0.0.1:0"], ["demo"]),
)


def _run(*arguments: str, full: str, **env: str) -> subprocess.CompletedProcess[str]:
    with Path("/dev/full").open("w") as disk:
        return subprocess.run(
            [*PROGRAM, *arguments],
            env={"PATH": os.environ["PATH"], "HISTORY": "off", **env},
            text=True,
            timeout=30,
            check=False,
            stdout=disk if full == "stdout" else subprocess.PIPE,
            stderr=disk if full == "stderr" else subprocess.PIPE,
        )


@pytest.fixture
def environment(dstack: Remote) -> dict[str, str]:
    """Return settings with which each command finishes."""
    return {"DSTACK_URL": dstack.url, "LISTEN_ADDR": f"127.0.0.1:{free_port()}"}


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_full_output_exits_with_74_and_one_line(
    arguments: list[str], unbuffered: str, environment: dict[str, str]
) -> None:
    """Also without Python's buffers, as in the image."""
    done = _run(*arguments, full="stdout", PYTHONUNBUFFERED=unbuffered, **environment)
    lines = done.stderr.splitlines()
    assert done.returncode == 74, done.stderr
    assert lines[-1] == (
        "dstack-backend: standard output: cannot be written: no space left on device"
    )
    assert len(lines) == 1 or arguments == ["demo"], "the demo also has a log"


@pytest.fixture
def stored(tmp_path: Path, dstack: Remote) -> str:
    """Return the folder of a history."""
    service = Service(tmp_path / "log", DATA_DIR=str(tmp_path), HISTORY="on", DSTACK_URL=dstack.url)
    try:
        service.wait_for(None)
        service.end()
    finally:
        service.kill()
    return str(tmp_path)


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_full_output_of_the_history_exits_with_74(stored: str, option: list[str]) -> None:
    """As the other commands."""
    done = _run("history", *option, full="stdout", DATA_DIR=stored, HISTORY="on")
    line = "dstack-backend: standard output: cannot be written: no space left on device\n"
    assert (done.returncode, done.stderr) == (74, line)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nonsense"], 2), (["healthcheck"], 1), (["--help"], 0), (["check"], 0)],
    ids=["bad-command", "healthcheck", "help", "check"],
)
def test_full_standard_error_does_not_change_the_exit_code(
    arguments: list[str], code: int, environment: dict[str, str]
) -> None:
    """The line is lost, and the code has the result."""
    assert _run(*arguments, full="stderr", **environment).returncode == code
