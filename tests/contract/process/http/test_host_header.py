"""The `Host` of a request (RFC 9112, section 3.2), and the methods of a resource."""

from collections.abc import Callable, Iterator

import pytest

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Service

PATHS = ("/health", "/livez", "/")

BAD = {
    "none": b"",
    "empty": b"Host:\r\n",
    "two": b"Host: a\r\nHost: b\r\n",
    "two-equal": b"Host: a\r\nHost: a\r\n",
    "a-list": b"Host: a b\r\n",
    "a-path": b"Host: a/b\r\n",
    "a-user": b"Host: me@a\r\n",
    "open-bracket": b"Host: [::1\r\n",
    "letters-as-port": b"Host: a:b\r\n",
}
GOOD = (b"a", b"A-b_c.example.", b"a:8080", b"a:", b"127.0.0.1", b"[::1]:8080", b"a%20b")


@pytest.fixture(scope="module")
def service(serve_module: Callable[..., Service]) -> Iterator[Service]:
    """Run one service that knows its GPUs."""
    with in_thread(SimulatedDStack()) as dstack:
        service = serve_module(DSTACK_URL=dstack.url)
        service.wait_for(None)
        yield service


def _answer(service: Service, head: bytes) -> bytes:
    with service.connect() as client:
        client.sendall(head + b"Connection: close\r\n\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", BAD)
def test_request_without_one_valid_host_is_a_bad_request(
    service: Service, path: str, name: str
) -> None:
    """HTTP/1.1 requires one. The body is that of any error."""
    answer = _answer(service, f"GET {path} HTTP/1.1\r\n".encode() + BAD[name])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"status_code":400,"detail":"' in answer
    assert b"content-type: application/json\r\n" in answer
    assert b"cache-control: no-store\r\n" in answer


@pytest.mark.parametrize("host", GOOD)
def test_request_with_one_host_is_answered(service: Service, host: bytes) -> None:
    """A name, an address, with a port."""
    head = b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n"
    assert _answer(service, head).startswith(b"HTTP/1.1 200 ")


def test_request_of_http_1_0_needs_no_host(service: Service) -> None:
    """Probes of load balancers send none."""
    assert _answer(service, b"GET /health HTTP/1.0\r\n").startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize("path", [*PATHS, "/status", "/metrics", "/history", "/events"])
def test_options_names_each_method_that_works(service: Service, path: str) -> None:
    """HEAD works wherever GET does."""
    answer = service.ask(path, "OPTIONS")
    assert (answer.code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert service.ask(path, "POST").headers["Allow"] == "GET, HEAD, OPTIONS"
