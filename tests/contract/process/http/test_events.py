"""`/events` of the real process: first event, updates, many clients, slow clients, shutdown."""

import socket
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import EIGHT_H200, Remote
from tests.contract.process.service import Service, run_command, wait_until

Serve = Callable[..., Service]
MAX_STOP = 3.0
CLIENTS = 300

UP = 'data: {"status":"available","reason":null,"degraded":false,"missing":0}\n\n'
DEGRADED = 'data: {"status":"available","reason":null,"degraded":true,"missing":1}\n\n'
DOWN = UP.replace('"available","reason":null', '"unavailable","reason":"connection_refused"')

FILES = 160
STREAMS = FILES // 4
"""Half of the files are for clients, and half of these for streams."""


class EventClient:
    """A client of `/events` on a connection of its own.

    Attributes:
        has_ended: Whether the stream has ended.
    """

    def __init__(self, connection: socket.socket, **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        connection.settimeout(10)
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: me\r\n{lines}\r\n".encode())
        self._connection = connection
        self._text = ""
        self.has_ended = False

    def received(self, text: str) -> bool:
        """Read until the stream contains a text or ends; return whether it contains the text."""
        while text not in self._text and not self.has_ended:
            more = self._connection.recv(65536)
            self._text += more.decode()
            self.has_ended = not more or more.endswith(b"0\r\n\r\n")
        return text in self._text


@contextmanager
def listening(service: Service, **headers: str) -> Generator[EventClient]:
    """Open a stream."""
    with service.connect() as connection:
        yield EventClient(connection, **headers)


def test_the_first_event_is_immediate_and_has_the_status(service: Service) -> None:
    """With the media type of event streams, and the time after which to reconnect."""
    with listening(service) as client:
        assert client.received("content-type: text/event-stream")
        assert client.received("retry: 2000\n")
        assert client.received(UP)


def test_an_outage_is_sent_as_it_happens(service: Service, dstack: Remote) -> None:
    """On the open stream."""
    with listening(service) as client:
        assert client.received('"available"')
        dstack.crash()
        assert client.received(DOWN)


def test_a_gpu_that_is_lost_and_returns_is_sent_as_it_happens(
    service: Service, dstack: Remote
) -> None:
    """On the open streams."""
    dstack.dstack.gpus = EIGHT_H200[1:]
    with listening(service) as client:
        assert client.received(DEGRADED)
        with listening(service) as other:
            assert other.received(DEGRADED)
            dstack.dstack.gpus = EIGHT_H200
            assert other.received(UP)


@pytest.mark.parametrize("last", ["1", "999999", "-1", "no-number", ""])
def test_last_event_id_has_no_effect(service: Service, last: str) -> None:
    """Ids start at 0 with each start of the service, so the first event is always sent."""
    with listening(service, Last_Event_ID=last) as client:
        assert client.received("data: ")


def test_hundreds_of_clients_cause_no_check_and_do_not_delay_the_stop(
    serve: Serve, dstack: Remote
) -> None:
    """DStack is called by the schedule only; SIGTERM ends the process in time."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    with ExitStack() as connections:
        clients = [connections.enter_context(listening(service)) for _ in range(CLIENTS)]
        assert all(client.received("data: ") for client in clients)
        assert dstack.dstack.calls == 1
        assert service.ask("/health").code == 200
        code, seconds = service.end()
        assert (code, seconds < MAX_STOP) == (0, True), service.log
        assert not any(client.received("never") for client in clients)
    assert "Traceback" not in service.log


def test_clients_that_never_read_cost_little_and_do_not_delay_the_stop(
    serve: Serve, dstack: Remote
) -> None:
    """What they do not read stays in the kernel's buffers."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.1")
    service.wait_for(None)
    with ExitStack() as connections:
        for _ in range(50):
            client = connections.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.connect((service.host, service.port))
            client.sendall(b"GET /events HTTP/1.1\r\nHost: me\r\n\r\n")
        time.sleep(1)
        before = service.memory("Anonymous")
        time.sleep(3)
        assert service.memory("Anonymous") - before < 2_000_000
        code, seconds = service.end()
    assert (code, seconds < MAX_STOP) == (0, True)


def test_closed_clients_are_released(service: Service) -> None:
    """A thousand of them leave no open descriptor."""
    descriptors = Path(f"/proc/{service.process.pid}/fd")
    for _ in range(10):
        with ExitStack() as connections:
            for _ in range(100):
                connections.enter_context(listening(service)).received("data: ")
    wait_until(lambda: _count(descriptors) < 60)
    assert service.ask("/health").code == 200
    assert "Traceback" not in service.log


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


@pytest.fixture
def small_service(serve: Serve, dstack: Remote) -> Service:
    """Return a service that may open few files."""
    python = ("prlimit", f"--nofile={FILES}:{FILES}", sys.executable)
    service = serve(python=python, DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    return service


def test_streams_leave_places_for_the_worker_and_the_probes(small_service: Service) -> None:
    """One too many gets 503 with the time after which to ask again, until another one ends."""
    service = small_service
    with ExitStack() as connections:
        clients = [connections.enter_context(listening(service)) for _ in range(STREAMS)]
        assert all(client.received("data: ") for client in clients)
        refused = service.ask("/events")
        assert (refused.code, refused.headers["Retry-After"]) == (503, "30")
        assert refused.json() == {"status_code": 503, "detail": "too many streams are open"}
        assert service.ask("/events", "HEAD").code == 200
        for path in ("/health", "/livez", "/readyz"):
            assert service.ask(path).code == 200
        assert run_command("healthcheck", LISTEN_ADDR=service.netloc).returncode == 0
    wait_until(lambda: _accepts_stream(service))
    assert "Traceback" not in service.log


def _accepts_stream(service: Service) -> bool:
    with listening(service) as client:
        return client.received("data: ")


def test_many_streams_that_start_at_once_leave_places(small_service: Service) -> None:
    """Twice as many as there may be, before the first one is answered."""
    with ExitStack() as connections:
        clients = [connections.enter_context(listening(small_service)) for _ in range(2 * STREAMS)]
        assert small_service.ask("/health").code == 200
        assert sum(client.received("data: ") for client in clients[: STREAMS // 2]) > 0
