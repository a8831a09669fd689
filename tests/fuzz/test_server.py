"""Whatever a client sends, to the real server process."""

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.fuzz.effort import effort
from tests.fuzz.requests import Request, requests

READ_TIMEOUT = 0.3
"""Seconds after which a server that says nothing is given up: it may wait for more of a request."""

ENOUGH = 200_000
"""Bytes of an answer that are read."""

STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An available service with a history on disk, and all its clients."""
    folder = tmp_path_factory.mktemp("service")
    with in_thread(SimulatedDStack()) as dstack:
        service = Service(folder / "log", DSTACK_URL=dstack.url, DATA_DIR=str(folder / "data"))
        service.wait_for(None)
        yield service
        service.kill()


def exchange(service: Service, data: bytes) -> bytes:
    """Send bytes and read what comes; a broken connection is the server's right."""
    answer = b""
    with service.connect() as client, contextlib.suppress(OSError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(READ_TIMEOUT)
        client.sendall(data)
        while len(answer) < ENOUGH and (part := client.recv(65536)):
            answer += part
    return answer


def assert_unhurt(service: Service, answer: bytes) -> None:
    """No server error, no traceback, and the next one is served. It is available all the time."""
    for code in STATUS.findall(answer):
        assert int(code) < 500, answer[:300]
    assert b"Traceback" not in answer
    assert service.ask("/health").code == 200
    assert "Traceback" not in service.log
    assert " ERROR " not in service.log


@effort(1_500)
@given(requests())
def test_any_request_leaves_the_server_unhurt(service: Service, request_: Request) -> None:
    """Whatever method, path, query, headers and body: an answer below 500, and it goes on."""
    answer = exchange(service, request_.encode(close=True))
    assert STATUS.match(answer)
    assert_unhurt(service, answer)


@effort(400)
@given(st.lists(requests(), min_size=2, max_size=6))
def test_any_row_of_requests_on_one_connection_leaves_it_unhurt(
    service: Service, row: list[Request]
) -> None:
    """Sent at once, before the first answer."""
    data = b"".join(each.encode(close=each is row[-1]) for each in row)
    assert_unhurt(service, exchange(service, data))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A request of which a few bytes were replaced, cut out or repeated."""
    data = draw(requests()).encode(close=True)[:5000]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = at + draw(st.integers(0, 5))
        data = data[:at] + draw(st.binary(max_size=5) | st.just(data[at:end] * 2)) + data[end:]
    return data


@effort(150)
@given(damaged() | st.binary(max_size=500))
def test_any_bytes_leave_the_server_unhurt(service: Service, data: bytes) -> None:
    """Much of it is no HTTP; the server may answer 400, or close, or wait for the rest."""
    assert_unhurt(service, exchange(service, data))


def test_after_all_of_it_the_server_is_small_and_ends_well(service: Service) -> None:
    """Nothing of what was sent is kept."""
    assert service.memory() < 200 * 1024 * 1024
    code, seconds = service.end()
    assert code == 0
    assert seconds < 5
