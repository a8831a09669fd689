"""The addresses on which the real process listens, alone."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from tests.contract.process.service import Service, free_port, run_command, wait_until

Serve = Callable[..., Service]
STARTS = 10


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: me\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize(
    ("host", "answering"),
    [
        ("*", ["127.0.0.1", "::1"]),
        ("0.0.0.0", ["127.0.0.1"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("[::]", ["::1"]),
        ("[::1]", ["::1"]),
    ],
)
def test_service_listens_on_what_the_setting_says_and_on_nothing_else(
    serve: Serve, host: str, answering: list[str]
) -> None:
    """`*` is both families; `0.0.0.0` and `[::]` are one of them. The health check agrees."""
    port = free_port()
    service = serve(host=answering[0], LISTEN_ADDR=f"{host}:{port}", port=port)
    assert [each for each in ("127.0.0.1", "::1") if _answers(each, port)] == answering
    assert run_command("healthcheck", LISTEN_ADDR=f"{host}:{port}").returncode == 0
    assert f"answers on {host}:{port} and" in service.log


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_port_that_is_taken_in_one_family_is_taken(taken: str) -> None:
    """A service that answers on one family only would hide the other program."""
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as other:
        done = run_command(LISTEN_ADDR=f"*:{other.getsockname()[1]}")
    assert done.returncode == 2
    assert "address already in use" in done.stderr


@contextmanager
def _started(port: int, stagger: float) -> Generator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    try:
        for _ in range(STARTS):
            command = [sys.executable, "-m", "dstack_backend", "--history", "off"]
            command += ["--listen-addr", f"127.0.0.1:{port}", "--dstack-url", "http://127.0.0.1:1"]
            processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            time.sleep(stagger)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("stagger", [0.0, 0.03, 0.2])
def test_one_of_many_services_that_start_at_once_gets_the_port(stagger: float) -> None:
    """Each other one ends with exit code 2 and one line."""
    port = free_port()
    with _started(port, stagger) as processes:
        wait_until(lambda: sum(each.poll() is None for each in processes) <= 1, 60)
        wait_until(lambda: _answers("127.0.0.1", port))
        ended = [each for each in processes if each.poll() is not None]
        lines = [each.stderr.readlines() for each in ended if each.stderr]
    assert [each.returncode for each in ended] == [2] * (STARTS - 1)
    assert {len(each) for each in lines} == {1}
    assert all("address already in use" in each[0] for each in lines)


def test_start_and_end_leave_no_socket_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Python reports each object that was not closed, and any other warning, as an error."""
    log = tmp_path_factory.mktemp("log") / "log"
    python = (sys.executable, "-X", "dev", "-W", "error")
    service = Service(log, python=python, DSTACK_URL="http://127.0.0.1:1")
    service.wait_for("connection_refused")
    assert service.end()[0] == 0
    assert "Warning" not in service.log
    assert "Traceback" not in service.log
