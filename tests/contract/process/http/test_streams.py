"""Closed standard streams, a closed pipe as output, and Ctrl-C, for each command."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from dstack_backend.domain import Gpu
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, free_port, run_command, wait_until

PROGRAM = (sys.executable, "-m", "dstack_backend")
CLOSED = {"output": ">&-", "errors": "2>&-", "all": "<&- >&- 2>&-"}


def _by_shell(redirections: str, *arguments: str) -> list[str]:
    """Return a command line that starts the program with redirections of a shell."""
    return ["sh", "-c", f'exec "$@" {redirections}', "sh", *PROGRAM, *arguments]


def _environment(**env: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HISTORY": "off", **env}


@pytest.mark.parametrize("which", CLOSED)
def test_the_service_works_with_closed_streams(which: str, dstack: Remote) -> None:
    """It runs, and ends with 0 after SIGTERM."""
    listen = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        _by_shell(CLOSED[which], "serve"),
        env=_environment(LISTEN_ADDR=listen, DSTACK_URL=dstack.url),
        stderr=subprocess.PIPE,
    )
    with process:
        wait_until(lambda: dstack.dstack.calls or process.poll() is not None, 20)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize("which", CLOSED)
@pytest.mark.parametrize("command", ["check", "identity", "healthcheck"])
def test_a_command_keeps_its_exit_code_with_closed_streams(command: str, which: str) -> None:
    """It cannot print its result, but the exit code has it."""
    done = subprocess.run(
        _by_shell(CLOSED[which], command),
        env=_environment(DSTACK_URL="http://127.0.0.1:1", LISTEN_ADDR=f"127.0.0.1:{free_port()}"),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False), done.stderr


@pytest.mark.parametrize("command", ["check", "identity"])
def test_a_closed_pipe_is_not_an_error(command: str, dstack: Remote) -> None:
    """As in `check | true`: the exit code is that of the result."""
    reading, writing = os.pipe()
    os.close(reading)
    with closing(os.fdopen(writing, "wb")) as output:
        done = subprocess.run(
            [*PROGRAM, command],
            env=_environment(DSTACK_URL=dstack.url),
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_check_prints_utf_8_in_every_locale(dstack: Remote) -> None:
    """The bytes are those of `/health`."""
    gpu = Gpu(slot="1", product_id="10de:2335", description="Größe ✓", is_free=True)
    dstack.dstack.gpus = [gpu]
    done = run_command("check", DSTACK_URL=dstack.url, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(json.loads(done.stdout)["metadata"])["gpus"][0]["description"] == "Größe ✓"


@pytest.mark.parametrize("command", ["check", "identity"])
def test_ctrl_c_during_a_check_exits_with_130(command: str, dstack: Remote) -> None:
    """Without output: there was no result."""
    dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
    process = subprocess.Popen(
        [*PROGRAM, command],
        env=_environment(DSTACK_URL=dstack.url, CHECK_TIMEOUT="60"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        wait_until(lambda: dstack.dstack.calls or process.poll() is not None, 20)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=10)
    assert (process.returncode, *output) == (130, b"", b"")


def test_ctrl_c_during_a_healthcheck_exits_with_130() -> None:
    """0 would mean that the service is alive."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(20)
        listen = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [*PROGRAM, "healthcheck"], env=_environment(LISTEN_ADDR=listen), stderr=subprocess.PIPE
        )
        with process, silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, b"")


def test_ctrl_c_stops_the_service_with_0(serve: Callable[..., Service]) -> None:
    """As SIGTERM does."""
    assert serve(DSTACK_URL="http://127.0.0.1:1").end(signal.SIGINT)[0] == 0
