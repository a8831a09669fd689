"""The command line as a process: `check`, `healthcheck`, and each bad setting."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import pytest

from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, free_port, run_command

SECRET = "s3cr3t-canary"

BAD = {
    "LISTEN_ADDR": {"LISTEN_ADDR": "8080"},
    "LISTEN_ADDR-host": {"LISTEN_ADDR": "192.0.2.1:8080"},
    "LISTEN_ADDR-label": {"LISTEN_ADDR": f"{'a' * 64}:8080"},
    "DSTACK_URL": {"DSTACK_URL": "localhost:19060"},
    "DSTACK_URL-secret": {"DSTACK_URL": f"http://user:{SECRET}@host:port"},
    "DSTACK_URL-query": {"DSTACK_URL": f"http://host/?token={SECRET}"},
    "DSTACK_URL-socket": {"DSTACK_URL": "unix:vmm.sock"},
    "DSTACK_TOKEN-twice": {"DSTACK_URL": f"http://u:{SECRET}@host", "DSTACK_TOKEN": SECRET},
    "DSTACK_TOKEN": {"DSTACK_TOKEN": f"{SECRET} {SECRET}"},
    "DSTACK_TOKEN-line": {"DSTACK_TOKEN": f"{SECRET}\nX-Header: 1"},
    "DSTACK_TOKEN_FILE": {"DSTACK_TOKEN_FILE": "/nowhere/token"},
    "DSTACK_TOKEN_FILE-twice": {"DSTACK_TOKEN_FILE": "LICENSE", "DSTACK_TOKEN": SECRET},
    "DSTACK_CA_FILE": {"DSTACK_CA_FILE": "/nowhere/ca.pem", "DSTACK_URL": "https://host"},
    "CHECK_INTERVAL": {"CHECK_INTERVAL": "ten"},
    "CHECK_TIMEOUT": {"CHECK_TIMEOUT": "0"},
    "FAILURE_THRESHOLD": {"FAILURE_THRESHOLD": "1.5"},
    "RECOVERY_THRESHOLD": {"RECOVERY_THRESHOLD": "-1"},
    "MIN_GPUS": {"MIN_GPUS": "-8"},
    "LOG_LEVEL": {"LOG_LEVEL": "loud\n\x1b[31m"},
    "LOG_FORMAT": {"LOG_FORMAT": "xml"},
}

Runs = dict[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def refused() -> Runs:
    """Start with each of them, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(BAD, pool.map(_start, BAD.values()), strict=True))


def _start(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run_command(**env)


def _is_refusal(done: subprocess.CompletedProcess[str], variable: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].isprintable()
    assert variable in lines[0]
    assert f"for example {variable}=" in lines[0]
    assert SECRET not in lines[0]


@pytest.mark.parametrize("name", BAD)
def test_bad_setting_ends_the_start_with_one_line(refused: Runs, name: str) -> None:
    """Exit code 2, the variable, a valid example; no traceback and no secret."""
    _is_refusal(refused[name], name.partition("-")[0])


def test_port_in_use_ends_the_start_with_one_line() -> None:
    """The service does not share the port of another program."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        done = run_command(LISTEN_ADDR=f"127.0.0.1:{other.getsockname()[1]}")
    _is_refusal(done, "LISTEN_ADDR")
    assert "in use" in done.stderr


def test_second_instance_does_not_share_the_port_of_the_first(service: Service) -> None:
    """Each of them would get half of the requests."""
    _is_refusal(run_command(LISTEN_ADDR=service.netloc), "LISTEN_ADDR")
    assert service.ask("/livez").code == 200


def test_unknown_option_ends_the_start_with_one_line() -> None:
    """Exit code 2, as for a bad setting."""
    done = run_command("--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_option_beats_its_variable(dstack: Remote) -> None:
    """`--dstack-url` is the same setting as DSTACK_URL, before and after the command."""
    done = run_command("check", "--dstack-url", dstack.url, DSTACK_URL="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr
    done = run_command("--dstack-url", dstack.url, "check", DSTACK_URL="http://127.0.0.1:1")
    assert done.returncode == 0, done.stderr


def test_variable_that_a_command_does_not_use_is_accepted(dstack: Remote) -> None:
    """An environment file is for all commands; an option without an effect is refused."""
    done = run_command("check", DSTACK_URL=dstack.url, LISTEN_ADDR="127.0.0.1:1")
    assert done.returncode == 0, done.stderr
    done = run_command("check", "--listen-addr", "127.0.0.1:1", DSTACK_URL=dstack.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "dstack-backend: --listen-addr: check has no such option; see dstack-backend check --help\n"
    )


def test_check_of_an_available_node_prints_the_backend_info(dstack: Remote) -> None:
    """Exit code 0, one line of JSON on standard output, nothing else."""
    done = run_command("check", DSTACK_URL=dstack.url)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    check_answer(200, done.stdout.encode())
    assert dstack.dstack.calls == 1


def test_check_of_an_unavailable_node_prints_the_backend_info(dstack: Remote) -> None:
    """Exit code 1, and still a BackendInfo on standard output."""
    dstack.dstack.behaviour = FAULTS["status-400"].behaviour
    done = run_command("check", DSTACK_URL=dstack.url)
    assert done.returncode == 1, done.stderr
    info = check_answer(503, done.stdout.encode())
    assert info.metadata == "HTTP error: 400 Bad Request"
    assert "canary" not in done.stderr


def test_check_pretty_prints_lines_for_people(dstack: Remote) -> None:
    """With the same exit codes."""
    done = run_command("check", "--pretty", DSTACK_URL=dstack.url, PUBKEYS="ab" * 32)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [re.split("   +", line) for line in done.stdout.splitlines()]
    assert lines[0] == ["status", "available: 8 GPUs, 5 free"]
    assert ["pubkeys", "ab" * 32] in lines
    assert lines.index(["slot", "model", "state", "product id", "description"]) == len(lines) - 9
    assert lines[-8][:4] == ["19:00.0", "H200 SXM 141GB", "in use", "10de:2335"]
    dstack.dstack.behaviour = FAULTS["status-400"].behaviour
    done = run_command("check", "--pretty", DSTACK_URL=dstack.url)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[0].split(maxsplit=1) == [
        "status",
        "unavailable: HTTP error: 400 Bad Request",
    ]


def test_check_refuses_a_bad_setting() -> None:
    """Exit code 2, nothing on standard output."""
    done = run_command("check", DSTACK_URL="nonsense")
    _is_refusal(done, "DSTACK_URL")


def test_proxies_of_the_environment_are_not_used(dstack: Remote) -> None:
    """DStack is on the same host: no request goes to a proxy, whatever variables are set."""
    with in_thread(SimulatedDStack()) as proxy:
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
        done = run_command("check", DSTACK_URL=dstack.url, **dict.fromkeys(names, proxy.url))
        assert done.returncode == 0, done.stdout
        assert proxy.dstack.calls == 0
    assert dstack.dstack.calls == 1


def test_healthcheck_requests_the_running_service_and_no_proxy(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    """Exit code 0 while the service runs, though DStack is down and a proxy is set."""
    service = serve(DSTACK_URL=f"unix:{tmp_path}/vmm.sock")
    everywhere = f"0.0.0.0:{service.port}"
    done = run_command("healthcheck", LISTEN_ADDR=everywhere, HTTP_PROXY="http://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (0, "")


def test_healthcheck_without_a_service_fails_with_one_line() -> None:
    """Exit code 1, and the address."""
    listen = f"127.0.0.1:{free_port()}"
    done = run_command("healthcheck", LISTEN_ADDR=listen)
    assert done.returncode == 1
    line = f"dstack-backend: {listen}: no answer from /livez; is the service running?\n"
    assert done.stderr == line


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts and sends nothing, as a service that hangs."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def trickling_port() -> Iterator[int]:
    """A port whose response comes byte by byte and never ends."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        Thread(target=_trickle, args=(server,), daemon=True).start()
        yield int(server.getsockname()[1])


def _trickle(server: socket.socket) -> None:
    with suppress(OSError), server.accept()[0] as client:
        client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            client.sendall(b"x")
            time.sleep(0.2)


def test_healthcheck_has_a_deadline_for_the_whole_response(trickling_port: int) -> None:
    """It is not a deadline for each byte."""
    started = time.monotonic()
    done = run_command("healthcheck", LISTEN_ADDR=f"127.0.0.1:{trickling_port}")
    assert done.returncode == 1
    assert time.monotonic() - started < 6


def test_healthcheck_of_a_service_that_hangs_fails_in_time(silent_port: int) -> None:
    """Docker gets its result before its own limit."""
    done = run_command("healthcheck", LISTEN_ADDR=f"127.0.0.1:{silent_port}")
    assert done.returncode == 1


@pytest.mark.parametrize("command", ["check", "identity", "doctor", "status", "healthcheck"])
@pytest.mark.parametrize(
    ("how", "codes"),
    [(signal.SIGTERM, {143}), (signal.SIGINT, {130, -signal.SIGINT})],
    ids=["SIGTERM", "SIGINT"],
)
def test_command_ended_by_a_signal_has_no_exit_code_of_a_result(
    command: str, how: signal.Signals, codes: set[int]
) -> None:
    """128 and the number of the signal, as in a shell: a stopped `doctor` found nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(20)
        listen = f"127.0.0.1:{silent.getsockname()[1]}"
        env = {"DSTACK_URL": f"http://{listen}", "LISTEN_ADDR": listen, "HISTORY": "off"}
        arguments = [sys.executable, "-m", "dstack_backend", command]
        with (
            subprocess.Popen(arguments, env=env, stderr=subprocess.DEVNULL) as process,
            silent.accept()[0],
        ):
            process.send_signal(how)
            assert process.wait(timeout=10) in codes
