"""The real process: its start, its status while DStack comes and goes, and its end."""

import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, run_command, wait_until

Serve = Callable[..., Service]
LONGEST_STOP = 3.0


def test_health_responds_at_once_while_dstack_hangs(serve: Serve, dstack: Remote) -> None:
    """No request waits for the first check: the reason is `starting`, then `timed_out`."""
    dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
    service = serve(DSTACK_URL=dstack.url, CHECK_TIMEOUT="1")
    answer = service.ask("/health")
    assert check_answer(answer.code, answer.body).metadata.startswith("Starting: ")
    assert service.ask("/livez").code == 200
    assert service.ask("/readyz").code == 503
    service.wait_for("timed_out")
    assert service.ask("/readyz").code == 200
    answer = service.ask("/health")
    assert (
        check_answer(answer.code, answer.body).metadata == "Connection error: no answer within 1 s"
    )


def test_status_follows_an_outage_of_dstack_and_its_end(service: Service, dstack: Remote) -> None:
    """Both are published, the outage with its reason, and logged once."""
    dstack.crash()
    service.wait_for("connection_refused")
    answer = service.ask("/health")
    assert check_answer(answer.code, answer.body).metadata == "Connection error: connection refused"
    assert service.ask("/livez").code == 200
    assert "dstack_backend_gpus{" not in service.ask("/metrics").body.decode()
    wait_until(lambda: service.status()["consecutive_failures"] >= 3)
    dstack.revive()
    service.wait_for(None)
    assert json.loads(service.ask("/health").json()["metadata"])["gpu_count"] == 8
    assert service.log.count("unavailable (connection_refused)") == 1
    assert service.log.count("available: 8 GPUs, 5 free") == 2


def test_failure_threshold_keeps_the_status_until_the_third_failure(
    serve: Serve, dstack: Remote
) -> None:
    """With FAILURE_THRESHOLD=3 two failures in a row change nothing."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", FAILURE_THRESHOLD="3")
    service.wait_for(None)
    dstack.dstack.behaviour = FAULTS["status-500"].behaviour
    seen: set[tuple[int, str]] = set()

    def unavailable() -> bool:
        status = service.status()
        seen.add((status["consecutive_failures"], status["status"]))
        return bool(status["status"] == "unavailable")

    wait_until(unavailable)
    assert not seen & {(1, "unavailable"), (2, "unavailable")}
    assert min(failures for failures, status in seen if status == "unavailable") == 3


def test_requests_cause_no_call_of_dstack(serve: Serve, dstack: Remote) -> None:
    """Fifty clients at once get their responses from memory."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    assert dstack.dstack.calls == 1
    failures: list[int] = []

    def poll() -> None:
        connection = http.client.HTTPConnection(service.host, service.port, timeout=10)
        with contextlib.closing(connection):
            for _ in range(10):
                connection.request("GET", "/health")
                response = connection.getresponse()
                if response.status != 200 or not response.read():
                    failures.append(response.status)

    pollers = [threading.Thread(target=poll) for _ in range(50)]
    for poller in pollers:
        poller.start()
    for poller in pollers:
        poller.join()
    assert not failures
    assert dstack.dstack.calls == 1


def test_unix_socket_and_ipv6_address_work(serve: Serve, tmp_path: Path) -> None:
    """`LISTEN_ADDR=[::1]:port`, and a DStack on a socket that does not exist yet."""
    service = serve(host="::1", DSTACK_URL=f"unix:{tmp_path / 'vmm.sock'}")
    service.wait_for("socket_not_found")
    answer = service.ask("/health")
    assert check_answer(answer.code, answer.body).metadata == "Connection error: socket not found"
    alive = run_command("healthcheck", LISTEN_ADDR=service.netloc)
    assert alive.returncode == 0, alive.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_the_service_with_0_during_a_check_and_with_slow_clients(
    serve: Serve, dstack: Remote, how: signal.Signals
) -> None:
    """Neither DStack nor a slow client delays the end."""
    dstack.dstack.behaviour = FAULTS["hang-in-body"].behaviour
    service = serve(DSTACK_URL=dstack.url, CHECK_TIMEOUT="60")
    with service.connect() as silent, service.connect() as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: me\r\nX-Slow: ")
        wait_until(lambda: dstack.dstack.calls)
        code, seconds = service.end(how)
        silent.close()
    assert code == 0, service.log
    assert seconds < LONGEST_STOP
    assert "Traceback" not in service.log
    assert service.log.splitlines()[-1].endswith("stopped")


def test_response_in_progress_is_completed_after_the_signal(serve: Serve, dstack: Remote) -> None:
    """A client that reads slowly gets the whole body."""
    dstack.dstack.behaviour = HOSTILE_ANSWERS["20000-gpus"]
    service = serve(DSTACK_URL=dstack.url, CHECK_TIMEOUT="30")
    service.wait_for(None, seconds=30)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(10)
        client.connect((service.host, service.port))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: me\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        body = response.read()
        response.close()
    assert len(json.loads(json.loads(body)["metadata"])["gpus"]) == 20_000
    assert service.process.wait(timeout=LONGEST_STOP) == 0


def test_requests_during_the_end_are_answered_or_refused(service: Service) -> None:
    """An accepted connection is never left without a response."""
    outcomes: list[str] = []

    def poll() -> None:
        while True:
            try:
                answer = service.ask("/health")
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException) as exc:
                outcomes.append(type(exc).__name__)
                return
            outcomes.append(str(answer.code))

    pollers = [threading.Thread(target=poll) for _ in range(4)]
    for poller in pollers:
        poller.start()
    time.sleep(0.3)
    code, seconds = service.end()
    for poller in pollers:
        poller.join()
    assert code == 0
    assert seconds < LONGEST_STOP
    # The kernel completes a connection that is not accepted any more; it is reset at the end.
    assert set(outcomes) <= {"200", "ConnectionResetError", "RemoteDisconnected"}
    assert outcomes.count("200") >= len(outcomes) - len(pollers)


def test_sigterm_during_the_first_check_ends_the_service(serve: Serve, dstack: Remote) -> None:
    """A container that is stopped right after its start stops at once."""
    dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
    service = serve(DSTACK_URL=dstack.url)
    code, seconds = service.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def test_demo_starts_responds_and_ends(serve: Serve) -> None:
    """`demo` has its own DStack, prints where to look, and ends as the service does."""
    service = serve("demo")
    service.wait_for(None)
    metadata = json.loads(service.ask("/health").json()["metadata"])
    assert metadata["gpu_count"] == 8
    assert {gpu["model"] for gpu in metadata["gpus"]} == {"H200 SXM 141GB"}
    assert f"curl  {service.url('/health')}" in service.log
    code, seconds = service.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def test_demo_ignores_the_variables_of_a_real_dstack(serve: Serve) -> None:
    """They may be invalid. Listening on all addresses, it prints one that a client can use."""
    service = serve(
        "demo",
        host="::",
        DSTACK_URL="nonsense",
        DSTACK_TOKEN="a b",
        DSTACK_TOKEN_FILE="/nope",
        DSTACK_CA_FILE="/nope",
    )
    wait_until(lambda: "Ctrl-C" in service.log)
    assert f"open  http://[::1]:{service.port}/\n" in service.log


def test_log_can_be_json(serve: Serve, dstack: Remote) -> None:
    """With LOG_FORMAT=json each line is an object, with the status and reason of a change."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.2", LOG_FORMAT="json")
    service.wait_for(None)
    dstack.crash()
    service.wait_for("connection_refused")
    service.end()
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    changes = [(line["status"], line["reason"]) for line in lines if "status" in line]
    assert changes == [("available", None), ("unavailable", "connection_refused")]
