"""Arbitrary bytes from clients, against the process of the service."""

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
"""Seconds to wait for a response: the server may wait for the rest of the request."""

MAX_RESPONSE = 200_000
"""Bytes of a response that are read."""

STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return an available service with a history on disk."""
    folder = tmp_path_factory.mktemp("service")
    with in_thread(SimulatedDStack()) as dstack:
        service = Service(folder / "log", DSTACK_URL=dstack.url, DATA_DIR=str(folder / "data"))
        service.wait_for(None)
        yield service
        service.kill()


def exchange(service: Service, data: bytes) -> bytes:
    """Send bytes and return the response. The server may close the connection."""
    response = b""
    with service.connect() as client, contextlib.suppress(OSError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(READ_TIMEOUT)
        client.sendall(data)
        while len(response) < MAX_RESPONSE and (part := client.recv(65536)):
            response += part
    return response


def assert_healthy(service: Service, response: bytes) -> None:
    """Assert that there is no server error and no traceback, and that it is still available."""
    for code in STATUS.findall(response):
        assert int(code) < 500, response[:300]
    assert b"Traceback" not in response
    assert service.ask("/health").code == 200
    assert "Traceback" not in service.log
    assert " ERROR " not in service.log


@effort(1_500)
@given(requests())
def test_any_request_has_a_response_below_500(service: Service, request_: Request) -> None:
    """For any method, path, query, headers and body; and the service stays available."""
    response = exchange(service, request_.encode(close=True))
    assert STATUS.match(response)
    assert_healthy(service, response)


@effort(400)
@given(st.lists(requests(), min_size=2, max_size=6))
def test_service_survives_any_pipelined_requests(service: Service, pipeline: list[Request]) -> None:
    """They are sent at once, before the first response."""
    data = b"".join(each.encode(close=each is pipeline[-1]) for each in pipeline)
    assert_healthy(service, exchange(service, data))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a request in which a few bytes are replaced, missing or repeated."""
    data = draw(requests()).encode(close=True)[:5000]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = at + draw(st.integers(0, 5))
        data = data[:at] + draw(st.binary(max_size=5) | st.just(data[at:end] * 2)) + data[end:]
    return data


@effort(150)
@given(damaged() | st.binary(max_size=500))
def test_service_survives_any_bytes(service: Service, data: bytes) -> None:
    """The server may respond with 400, close the connection, or wait for the rest."""
    assert_healthy(service, exchange(service, data))


def test_service_is_small_afterwards_and_ends_with_0(service: Service) -> None:
    """Nothing of the requests is kept."""
    assert service.memory() < 200 * 1024 * 1024
    code, seconds = service.end()
    assert code == 0
    assert seconds < 5
