"""Descriptors run out and come back; hundreds of clients that trickle or do not read."""

import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, wait_until
from tests.faults.arena import LONGEST_ANSWER, MOST_MEMORY
from tests.faults.polling import Poller
from tests.faults.process import Staged, processor_seconds, settled, sockets

Note = Callable[[str], None]
Serve = Callable[..., Service]
Poll = Callable[[Service], Poller]
SimulatedNode = Callable[..., Staged]

CLIENTS = 400
HEAD = b"GET /health HTTP/1.1\r\nHost: me\r\n"


def _limit(service: Service, count: int) -> None:
    _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (count, hard))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_descriptors_that_run_out_are_told_and_come_back(
    dstack: Remote, serve: Serve, host: str
) -> None:
    """No check can open its connection: `connection_failed`; no client is let in, none is lost."""
    url = dstack.url.replace("127.0.0.1", host)
    service = serve(DSTACK_URL=url, CHECK_INTERVAL="0.5", CHECK_TIMEOUT="1")
    service.wait_for(None)
    time.sleep(0.5)
    known = service.connect()  # it goes on being answered
    with known, ExitStack() as clients:
        assert _ask_on(known).startswith(b"HTTP/1.1 200")
        before = sockets(service.process.pid)
        _limit(service, before)
        for _ in range(50):
            clients.enter_context(service.connect())
        wait_until(lambda: _ask_on(known).startswith(b"HTTP/1.1 503"), seconds=5)
        for _ in range(20):
            assert b"Connection error: too many open files" in _ask_on(known)
            time.sleep(0.05)
        _limit(service, 1024)
        clients.close()
        service.wait_for(None)
    answer = service.ask("/health")
    check_answer(answer.code, answer.body)
    assert settled(service.process.pid, before) <= before
    assert service.end()[0] == 0


def _ask_on(client: socket.socket) -> bytes:
    client.settimeout(5)
    client.sendall(HEAD + b"\r\n")
    received = b""
    while not received.endswith(b"}"):
        received += client.recv(65536)
    return received


def test_under_a_low_limit_clients_cannot_take_what_the_checks_need(
    dstack: Remote, stage: SimulatedNode
) -> None:
    """With 200 descriptors and 300 clients: no error, no busy loop, and the checks go on."""
    service = stage(
        STAGE_DSTACK="real", STAGE_DESCRIPTORS="200", DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5"
    )
    service.wait_for(None)
    known = service.connect()
    with known, ExitStack() as clients:
        assert _ask_on(known).startswith(b"HTTP/1.1 200")
        for _ in range(300):
            clients.enter_context(service.connect())
        used, calls = processor_seconds(service.process.pid), dstack.dstack.calls
        for _ in range(30):
            assert _ask_on(known).startswith(b"HTTP/1.1 200")
            time.sleep(0.1)
        assert processor_seconds(service.process.pid) - used < 1.0
        assert dstack.dstack.calls >= calls + 4
        assert sockets(service.process.pid) < 200
    service.wait_for(None)
    assert service.end()[0] == 0


def test_hundreds_of_clients_that_trickle_hold_up_nobody(
    dstack: Remote, serve: Serve, note: Note, poll: Poll
) -> None:
    """Each sends a byte of its request at a time; the others are answered as ever."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5")
    service.wait_for(None)
    before = sockets(service.process.pid)
    poller = poll(service)
    with ExitStack() as clients:
        slow = [clients.enter_context(service.connect()) for _ in range(CLIENTS)]
        poller.seen()
        for byte in HEAD:
            for client in slow:
                client.send(bytes([byte]))
        seen = poller.seen()
        note(f"worst answer beside {CLIENTS} slow clients: {seen.worst * 1000:.0f} ms")
        seen.assert_prompt(within=LONGEST_ANSWER)
        assert service.status()["reason"] is None
        for client in slow:
            client.sendall(b"\r\n")
            client.settimeout(5)
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    poller.close()
    assert settled(service.process.pid, before) <= before
    assert service.memory() < MOST_MEMORY


def test_clients_that_never_finish_their_request_are_sent_away(
    dstack: Remote, serve: Serve
) -> None:
    """A request's head may take 10 s: then its descriptor is free again."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    before = sockets(service.process.pid)
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            clients.enter_context(service.connect()).sendall(HEAD)
        wait_until(lambda: sockets(service.process.pid) > before + CLIENTS - 10)
        wait_until(lambda: sockets(service.process.pid) <= before + 1, seconds=15)
    assert service.ask("/health").code == 200


def test_hundreds_of_clients_that_never_read_hold_up_nobody(
    dstack: Remote, serve: Serve, note: Note, poll: Poll
) -> None:
    """Each asks a thousand times in one go and takes no answer: they are not piled up."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5")
    service.wait_for(None)
    before = sockets(service.process.pid)
    poller = poll(service)
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(_that_does_not_read(service))
            client.settimeout(0)
            with suppress(BlockingIOError):
                client.send((HEAD + b"\r\n") * 1000)
        time.sleep(3)
        poller.seen()
        time.sleep(2)
        seen, memory = poller.seen(), service.memory()
        note(
            f"beside {CLIENTS} clients that do not read: {seen.worst * 1000:.0f} ms, "
            f"{memory / 1024**2:.0f} MB"
        )
        seen.assert_prompt(within=LONGEST_ANSWER)
        assert memory < MOST_MEMORY
        assert service.status()["reason"] is None
    poller.close()
    assert settled(service.process.pid, before) <= before
    assert service.end()[0] == 0


def test_an_answer_of_megabytes_that_is_not_read_costs_its_size_and_no_more(
    dstack: Remote, serve: Serve
) -> None:
    """Each of those who do not read it costs one copy, until he leaves."""
    dstack.dstack.behaviour = HOSTILE_ANSWERS["very-long-text"]
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    size = len(service.ask("/health").body)
    memory = [service.memory()]
    for _ in range(4):
        with ExitStack() as clients:
            for _ in range(20):
                clients.enter_context(_that_does_not_read(service)).sendall(HEAD + b"\r\n")
            time.sleep(1)
            memory.append(service.memory())
    assert memory[1] - memory[0] < 20 * size * 1.25
    assert memory[-1] - memory[1] < 5 * size, "what they gave back is used again"


def _that_does_not_read(service: Service) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((service.host, service.port))
    return client
