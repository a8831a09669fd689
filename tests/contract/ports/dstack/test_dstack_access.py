"""How the adapter reaches DStack: credentials, paths, redirects, and open descriptors."""

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import pytest

from dstack_backend.adapters.httpx_dstack import (
    Basic,
    Bearer,
    Credentials,
    HttpxDStack,
    TokenFile,
    parse_address,
)
from dstack_backend.domain import CheckFailure, CheckResult, FailureCause, GpuInventory, Reason
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import Remote, Request, SimulatedDStack, http_answer
from tests.contract.ports.dstack.descriptors import open_descriptors
from tests.contract.process.service import free_port


def _check(url: str, credentials: Credentials | None = None) -> CheckResult:
    source = HttpxDStack(parse_address(url), credentials=credentials)
    return asyncio.run(source.list_gpus())


def _reason(result: CheckResult) -> Reason | None:
    return result.reason if isinstance(result, CheckFailure) else None


def test_wrong_token_is_unauthorized(dstack: Remote) -> None:
    """The token is sent as Bearer; DStack's 401 has a reason of its own."""
    dstack.dstack.token = "right"
    assert _reason(_check(dstack.url)) is Reason.UNAUTHORIZED
    assert _reason(_check(dstack.url, Bearer("wrong"))) is Reason.UNAUTHORIZED
    assert _reason(_check(dstack.url, Bearer("right"))) is None


def test_changed_token_file_is_read_again(dstack: Remote, tmp_path: Path) -> None:
    """A token that is replaced is used from the next check on."""
    file = tmp_path / "token"
    file.write_text("first\n")
    dstack.dstack.token = "second"
    credentials = TokenFile(file)
    assert _reason(_check(dstack.url, credentials)) is Reason.UNAUTHORIZED
    file.write_text("second\n")
    assert _reason(_check(dstack.url, credentials)) is None


def test_user_and_password_in_the_address_are_sent_as_basic(dstack: Remote) -> None:
    """They are decoded; wrong ones are unauthorized."""
    dstack.dstack.login = ("admin", "p@ss:word")
    host = dstack.url.removeprefix("http://")
    assert _reason(_check(f"http://admin:p%40ss%3Aword@{host}")) is None
    assert _reason(_check(f"http://admin:wrong@{host}")) is Reason.UNAUTHORIZED
    assert _reason(_check(dstack.url, Basic("admin", "p@ss:word"))) is None


@pytest.fixture
def requests(dstack: Remote) -> list[Request]:
    """The requests that the simulated DStack received. It answers with no GPUs."""
    seen: list[Request] = []

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        seen.append(request)
        writer.write(http_answer(200, b'{"gpus":[]}'))

    dstack.dstack.behaviour = behave
    return seen


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/prpc/ListGpus?json"),
        ("/", "/prpc/ListGpus?json"),
        ("/vmm/a%20b", "/vmm/a%20b/prpc/ListGpus?json"),
        ("/vmm/", "/vmm/prpc/ListGpus?json"),
        ("/vmm;a=b/c;d", "/vmm;a=b/c;d/prpc/ListGpus?json"),
    ],
)
def test_path_of_the_address_is_kept(
    dstack: Remote, requests: list[Request], path: str, target: str
) -> None:
    """The path of the method follows it."""
    assert _reason(_check(dstack.url + path)) is None
    assert requests[0].target == target


def test_request_has_the_necessary_headers_only(dstack: Remote, requests: list[Request]) -> None:
    """A GET for JSON, not compressed, without credentials where none are set."""
    _check(dstack.url)
    headers = requests[0].headers
    assert requests[0].method == "GET"
    assert headers["accept-encoding"] == "identity"
    assert headers["host"] == dstack.url.removeprefix("http://")
    assert headers.keys() <= {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize(
    ("codings", "reason"),
    [
        ("", None),
        ("identity", None),
        ("Identity, identity", None),
        ("gzip", Reason.INVALID_RESPONSE),
        ("identity, br", Reason.INVALID_RESPONSE),
    ],
)
def test_compressed_answer_is_invalid(dstack: Remote, codings: str, reason: Reason | None) -> None:
    """RFC 9110: a header without a coding, or with `identity`, is allowed."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        writer.write(http_answer(200, b'{"gpus":[]}', {"Content-Encoding": codings}))

    dstack.dstack.behaviour = behave
    assert _reason(_check(dstack.url)) is reason


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(dstack: Remote, status: int) -> None:
    """It is a failure, and no second request is sent."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        there = {"Location": f"{dstack.url}/prpc/ListGpus?json&again"}
        writer.write(http_answer(status, b"", there))

    dstack.dstack.behaviour = behave
    result = _check(dstack.url)
    assert isinstance(result, CheckFailure)
    assert (result.reason, result.cause) == (Reason.HTTP_ERROR, FailureCause.HTTP_REDIRECT)
    assert dstack.dstack.calls == 1


def test_ipv6_host_is_in_brackets_in_the_host_header(requests: list[Request]) -> None:
    """RFC 9112: the header is the authority of the URL."""

    async def check() -> str:
        server = SimulatedDStack()
        server.behaviour = record
        url = await server.listen_tcp("::1")
        await HttpxDStack(parse_address(url)).list_gpus()
        await server.crash()
        return url.removeprefix("http://")

    async def record(request: Request, _: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        requests.append(request)

    host = asyncio.run(check())
    assert [request.headers["host"] for request in requests] == [host]


def test_server_that_answers_before_it_reads_is_understood() -> None:
    """It may close its side before the request has been sent."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http_answer(401, b""))
        writer.close()
        await asyncio.sleep(0)

    async def check() -> CheckResult:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await HttpxDStack(parse_address(f"http://127.0.0.1:{port}")).list_gpus()

    assert _reason(asyncio.run(check())) is Reason.UNAUTHORIZED


def test_port_without_a_listener_is_connection_refused() -> None:
    """The reason is independent of the transport."""
    assert _reason(_check(f"http://127.0.0.1:{free_port()}")) is Reason.CONNECTION_REFUSED


def test_missing_socket_is_socket_not_found(tmp_path: Path) -> None:
    """Nothing is at the path."""
    assert _reason(_check(f"unix:{tmp_path / 'vmm.sock'}")) is Reason.SOCKET_NOT_FOUND


def test_socket_without_a_listener_is_connection_refused(tmp_path: Path) -> None:
    """A killed DStack leaves its socket behind."""
    path = tmp_path / "vmm.sock"
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    assert _reason(_check(f"unix://{path}")) is Reason.CONNECTION_REFUSED


def test_checks_leave_no_descriptor_open(dstack: Remote) -> None:
    """300 checks with good answers, breaks, errors, and bodies that are not read to their end."""
    behaviours = [
        None,
        HOSTILE_ANSWERS["white-space"],
        *(
            FAULTS[name].behaviour
            for name in (
                "closed-in-body",
                "reset-before-headers",
                "status-500",
                "json-null",
                "compressed-gzip",
                "endless-big-chunks",
                "length-twice",
                "http-2",
            )
        ),
    ]
    source = HttpxDStack(parse_address(dstack.url), timeout=10.0)

    async def check_often() -> tuple[int, int]:
        await source.list_gpus()
        before = open_descriptors()
        for number in range(300):
            dstack.dstack.behaviour = behaviours[number % len(behaviours)]
            result = await source.list_gpus()
            assert isinstance(result, (GpuInventory, CheckFailure))
        await asyncio.sleep(0.3)
        return before, open_descriptors()

    before, after = asyncio.run(check_often())
    assert after <= before + 1  # the server may not have closed its side of the last one
