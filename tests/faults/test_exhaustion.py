"""Descriptors run out, and hundreds of clients send slowly or do not read."""

import errno
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from dstack_backend.testing.contracts import check_answer
from dstack_backend.testing.faults import HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, wait_until
from tests.faults.support.arena import LONGEST_ANSWER, MOST_MEMORY
from tests.faults.support.polling import Poller
from tests.faults.support.process import HarnessService, processor_seconds, settled, sockets
from tests.faults.support.seccomp import Denial, deny

Note = Callable[[str], None]
Serve = Callable[..., Service]
Poll = Callable[[Service], Poller]
ServeHarness = Callable[..., HarnessService]

CLIENTS = 400
HEAD = b"GET /health HTTP/1.1\r\nHost: me\r\n"


def _limit(service: Service, count: int) -> None:
    _, hard = resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (count, hard))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_service_recovers_after_descriptors_ran_out(
    dstack: Remote, serve: Serve, host: str
) -> None:
    """Meanwhile checks fail with `connection_failed`, and a known client still has responses."""
    url = dstack.url.replace("127.0.0.1", host)
    service = serve(DSTACK_URL=url, CHECK_INTERVAL="0.5", CHECK_TIMEOUT="1")
    service.wait_for(None)
    time.sleep(0.5)
    known = service.connect()  # stays open
    with known, ExitStack() as clients:
        assert _request_on(known).startswith(b"HTTP/1.1 200")
        before = sockets(service.process.pid)
        _limit(service, before)
        for _ in range(50):
            clients.enter_context(service.connect()).sendall(HEAD)
        wait_until(lambda: _request_on(known).startswith(b"HTTP/1.1 503"), seconds=5)
        for _ in range(20):
            assert b"Connection error: too many open files" in _request_on(known)
            time.sleep(0.05)
        _limit(service, 1024)
        clients.close()
        service.wait_for(None)
    answer = service.ask("/health")
    check_answer(answer.code, answer.body)
    assert settled(service.process.pid, before) <= before
    assert service.end()[0] == 0


def _request_on(client: socket.socket) -> bytes:
    client.settimeout(5)
    client.sendall(HEAD + b"\r\n")
    received = b""
    while not received.endswith(b"}"):
        received += client.recv(65536)
    return received


def test_clients_leave_descriptors_for_the_checks(
    dstack: Remote, serve_harness: ServeHarness
) -> None:
    """With 200 descriptors and 300 clients there is no error and no busy loop."""
    service = serve_harness(
        HARNESS_SOURCE="dstack",
        HARNESS_DESCRIPTORS="200",
        DSTACK_URL=dstack.url,
        CHECK_INTERVAL="0.5",
    )
    service.wait_for(None)
    known = service.connect()
    with known, ExitStack() as clients:
        assert _request_on(known).startswith(b"HTTP/1.1 200")
        for _ in range(300):
            clients.enter_context(service.connect()).sendall(HEAD)
        used, calls = processor_seconds(service.process.pid), dstack.dstack.calls
        for _ in range(30):
            assert _request_on(known).startswith(b"HTTP/1.1 200")
            time.sleep(0.1)
        assert processor_seconds(service.process.pid) - used < 1.0
        assert dstack.dstack.calls >= calls + 4
        assert sockets(service.process.pid) < 200
    service.wait_for(None)
    assert service.end()[0] == 0


@pytest.fixture
def few_files() -> Iterator[None]:
    """Lower the limit of open files, which the processes of the test inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SETTING = [Denial("prlimit64", errno.EPERM, argument=2, allowed=(0,))]
BOTH = [Denial("prlimit64", errno.ENOSYS), Denial("getrlimit", errno.ENOSYS)]


@pytest.mark.usefixtures("few_files")
@pytest.mark.parametrize("denials", [SETTING, BOTH], ids=["setting", "reading-and-setting"])
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_denied_limit_of_open_files_is_one_warning(
    dstack: Remote, serve: Serve, denials: list[Denial], command: str
) -> None:
    """As with a seccomp filter, or a hard limit above the kernel's `nr_open`."""
    filtered = deny(denials, lambda: serve(command, DSTACK_URL=dstack.url))
    filtered.wait_for(None)
    warnings = [line for line in filtered.log.splitlines() if "limit of open files" in line]
    assert len(warnings) == 1
    assert " WARNING " in warnings[0]
    assert filtered.end()[0] == 0


def test_slow_clients_do_not_delay_others(
    dstack: Remote, serve: Serve, note: Note, poll: Poll
) -> None:
    """Each sends its request byte by byte."""
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


def test_incomplete_requests_time_out(dstack: Remote, serve: Serve) -> None:
    """A client has 10 s for the head of its request; then its descriptor is free again."""
    service = serve(DSTACK_URL=dstack.url)
    service.wait_for(None)
    before = sockets(service.process.pid)
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            clients.enter_context(service.connect()).sendall(HEAD)
        wait_until(lambda: sockets(service.process.pid) > before + CLIENTS - 10)
        wait_until(lambda: sockets(service.process.pid) <= before + 1, seconds=15)
    assert service.ask("/health").code == 200


def test_clients_that_do_not_read_do_not_delay_others(
    dstack: Remote, serve: Serve, note: Note, poll: Poll
) -> None:
    """Each sends a thousand requests at once; their responses do not fill the memory."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.5")
    service.wait_for(None)
    before = sockets(service.process.pid)
    poller = poll(service)
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(_client_that_does_not_read(service))
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


def test_large_response_that_is_not_read_costs_one_copy(dstack: Remote, serve: Serve) -> None:
    """The copy of each client is released when it leaves."""
    dstack.dstack.behaviour = HOSTILE_ANSWERS["very-long-text"]
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    size = len(service.ask("/health").body)
    memory = [service.memory()]
    for _ in range(4):
        with ExitStack() as clients:
            for _ in range(20):
                clients.enter_context(_client_that_does_not_read(service)).sendall(HEAD + b"\r\n")
            time.sleep(1)
            memory.append(service.memory())
    assert memory[1] - memory[0] < 20 * size * 1.25
    assert memory[-1] - memory[1] < 5 * size, "released memory is used again"


def _client_that_does_not_read(service: Service) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((service.host, service.port))
    return client
