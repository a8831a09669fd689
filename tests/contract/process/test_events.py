"""`/events` of the real process: at once, live, many, slow, and no hindrance at the end."""

import socket
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import Remote
from tests.contract.process.service import Service, wait_until

Serve = Callable[..., Service]
LONGEST_STOP = 3.0
LISTENERS = 300


class Listener:
    """Somebody who listens, on a connection of its own."""

    def __init__(self, connection: socket.socket, **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        connection.settimeout(10)
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: me\r\n{lines}\r\n".encode())
        self._connection = connection
        self._text = ""
        self.ended = False

    def heard(self, text: str) -> bool:
        """Read on until a text came, or the end."""
        while text not in self._text and not self.ended:
            more = self._connection.recv(65536)
            self._text += more.decode()
            self.ended = not more or more.endswith(b"0\r\n\r\n")
        return text in self._text


@contextmanager
def listening(service: Service, **headers: str) -> Generator[Listener]:
    """Listen."""
    with service.connect() as connection:
        yield Listener(connection, **headers)


def test_the_first_event_comes_at_once_and_says_how_things_are(service: Service) -> None:
    """With the type of event streams, and the advice when to come back."""
    started = time.monotonic()
    with listening(service) as listener:
        assert listener.heard("content-type: text/event-stream")
        assert listener.heard("retry: 2000\n")
        assert listener.heard('data: {"status":"available","reason":null}\n\n')
    assert time.monotonic() - started < 1.0


def test_an_outage_is_told_as_it_happens(service: Service, dstack: Remote) -> None:
    """Nobody has to ask again."""
    with listening(service) as listener:
        assert listener.heard('"available"')
        dstack.crash()
        assert listener.heard('data: {"status":"unavailable","reason":"connection_refused"}\n\n')


@pytest.mark.parametrize("last", ["1", "999999", "-1", "no-number", ""])
def test_what_was_seen_before_a_restart_holds_up_nobody(service: Service, last: str) -> None:
    """Editions begin anew with the service: the first event comes whatever the id is."""
    with listening(service, Last_Event_ID=last) as listener:
        assert listener.heard("data: ")


def test_hundreds_of_listeners_cause_dstack_no_call_and_end_with_the_service(
    serve: Serve, dstack: Remote
) -> None:
    """Calls come from the clock alone; SIGTERM ends the process in time with all of them there."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="60")
    service.wait_for(None)
    with ExitStack() as connections:
        listeners = [connections.enter_context(listening(service)) for _ in range(LISTENERS)]
        assert all(listener.heard("data: ") for listener in listeners)
        assert dstack.dstack.calls == 1
        assert service.ask("/health").code == 200
        code, seconds = service.end()
        assert (code, seconds < LONGEST_STOP) == (0, True), service.log
        assert not any(listener.heard("never") for listener in listeners)
    assert "Traceback" not in service.log


def test_listeners_that_never_read_cost_little_and_do_not_hold_up_the_end(
    serve: Serve, dstack: Remote
) -> None:
    """What is sent to somebody who takes nothing stays in the kernel; a stream ends in time."""
    service = serve(DSTACK_URL=dstack.url, CHECK_INTERVAL="0.1")
    service.wait_for(None)
    with ExitStack() as connections:
        for _ in range(50):
            client = connections.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.connect((service.host, service.port))
            client.sendall(b"GET /events HTTP/1.1\r\nHost: me\r\n\r\n")
        time.sleep(1)
        before = service.memory()
        time.sleep(3)
        assert service.memory() - before < 2_000_000
        code, seconds = service.end()
    assert (code, seconds < LONGEST_STOP) == (0, True)


def test_a_listener_that_leaves_is_forgotten(service: Service) -> None:
    """A thousand that came and went leave nothing behind."""
    descriptors = Path(f"/proc/{service.process.pid}/fd")
    for _ in range(10):
        with ExitStack() as connections:
            for _ in range(100):
                connections.enter_context(listening(service)).heard("data: ")
    wait_until(lambda: _count(descriptors) < 60)
    assert service.ask("/health").code == 200
    assert "Traceback" not in service.log


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())
