"""SIGTERM at any time, and SIGSTOP for longer than a status holds."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dstack_backend.domain import Reason
from dstack_backend.testing.faults import FAULTS
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.service import Service, wait_until

Serve = Callable[..., Service]

MAX_STOP = 3.0
HANGING = [name for name, fault in FAULTS.items() if fault.reason is Reason.TIMED_OUT]


@pytest.mark.parametrize(
    ("transport", "name"),
    [*(("tcp", name) for name in HANGING), ("unix", "hang-before-headers")],
)
def test_sigterm_during_a_check_and_a_request_ends_it_with_0(
    serve: Serve, tmp_path: Path, name: str, transport: str
) -> None:
    """With each fault that hangs, while a client has sent half of its request."""
    dstack = SimulatedDStack()
    dstack.behaviour = FAULTS[name].behaviour
    path = tmp_path / "vmm.sock" if transport == "unix" else None
    with in_thread(dstack, path) as remote:
        service = serve(DSTACK_URL=remote.url, CHECK_TIMEOUT="60")
        with service.connect() as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: me\r\nX-Slow: ")
            wait_until(lambda: dstack.calls)
            time.sleep(0.1)
            code, seconds = service.end()
    assert (code, seconds < MAX_STOP) == (0, True), service.log
    assert "Traceback" not in service.log
    assert service.log.splitlines()[-1].endswith("stopped")


def _suspend(service: Service, seconds: float) -> None:
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)


def _request_while_suspended(service: Service) -> socket.socket:
    """Send a request to the suspended process: the kernel keeps it."""
    client = service.connect()
    client.sendall(b"GET /health HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n")
    return client


def _read_response(client: socket.socket) -> bytes:
    client.settimeout(10)
    received = b""
    while part := client.recv(65536):
        received += part
    return received


@pytest.mark.parametrize("dstack_then", ["hangs", "crashed", "well"])
def test_first_response_after_a_suspension_is_not_an_old_available(
    dstack: Remote, serve: Serve, dstack_then: str
) -> None:
    """The process was suspended for longer than a status holds."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5", CHECK_TIMEOUT="0.5")
    service.wait_for(None)
    _suspend(service, 0.1)
    if dstack_then == "hangs":
        dstack.dstack.behaviour = FAULTS["hang-before-headers"].behaviour
    if dstack_then == "crashed":
        dstack.crash()
    calls = dstack.dstack.calls
    with _request_while_suspended(service) as client:
        time.sleep(2.5)  # 3 intervals and the timeout are 2 s
        service.process.send_signal(signal.SIGCONT)
        answer = _read_response(client)
    if answer.startswith(b"HTTP/1.1 200"):
        assert dstack_then == "well"
        assert dstack.dstack.calls > calls, "it has checked again before"
    else:
        assert answer.startswith(b"HTTP/1.1 503")
        expected = (b"Stale: ",) if dstack_then == "well" else (b"Stale: ", b"Connection error: ")
        assert any(each in answer for each in expected), answer
    dstack.dstack.behaviour = None
    if dstack_then == "crashed":
        dstack.revive()
    service.wait_for(None)
    assert service.end()[0] == 0


def test_sigterm_during_a_suspension_ends_it_after_sigcont(dstack: Remote, serve: Serve) -> None:
    """The exit code and the time limit are the usual ones."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    _suspend(service, 0.5)
    service.process.send_signal(signal.SIGTERM)
    code, seconds = service.end(signal.SIGCONT)
    assert (code, seconds < MAX_STOP) == (0, True)
