"""How the adapter reaches DStack: logins, paths, redirects, TLS, and what it leaves open."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from dstack_backend.adapters.httpx_dstack import (
    Basic,
    Bearer,
    Credentials,
    HttpxDStack,
    TokenFile,
    parse_address,
    ssl_context,
)
from dstack_backend.domain import CheckFailure, CheckResult, GpuInventory, Reason
from dstack_backend.testing.contracts import check_result
from dstack_backend.testing.faults import FAULTS, HOSTILE_ANSWERS
from dstack_backend.testing.simulated_dstack import (
    Remote,
    Request,
    SimulatedDStack,
    http_answer,
    in_thread,
)
from tests.contract.process.certificates import plain_authority, server_context
from tests.contract.process.service import free_port


def _check(
    url: str,
    credentials: Credentials | None = None,
    tls: ssl.SSLContext | None = None,
    timeout: float = 5.0,
) -> CheckResult:
    source = HttpxDStack(parse_address(url), timeout=timeout, credentials=credentials, tls=tls)
    return asyncio.run(source.list_gpus())


def _reason(result: CheckResult) -> Reason | None:
    return result.reason if isinstance(result, CheckFailure) else None


def test_a_token_lets_in_and_a_wrong_one_is_unauthorized(dstack: Remote) -> None:
    """The token goes as Bearer; DStack's 401 has a reason of its own."""
    dstack.dstack.token = "right"
    assert _reason(_check(dstack.url)) is Reason.UNAUTHORIZED
    assert _reason(_check(dstack.url, Bearer("wrong"))) is Reason.UNAUTHORIZED
    assert _reason(_check(dstack.url, Bearer("right"))) is None


def test_a_token_file_that_changes_is_read_again(dstack: Remote, tmp_path: Path) -> None:
    """A token that is replaced is used from the next check on."""
    file = tmp_path / "token"
    file.write_text("first\n")
    dstack.dstack.token = "second"
    credentials = TokenFile(file)
    assert _reason(_check(dstack.url, credentials)) is Reason.UNAUTHORIZED
    file.write_text("second\n")
    assert _reason(_check(dstack.url, credentials)) is None


def test_user_and_password_in_the_address_are_sent_as_basic(dstack: Remote) -> None:
    """They are decoded, sent, and win nothing for the wrong ones."""
    dstack.dstack.login = ("admin", "p@ss:word")
    host = dstack.url.removeprefix("http://")
    assert _reason(_check(f"http://admin:p%40ss%3Aword@{host}")) is None
    assert _reason(_check(f"http://admin:wrong@{host}")) is Reason.UNAUTHORIZED
    assert _reason(_check(dstack.url, Basic("admin", "p@ss:word"))) is None


@pytest.fixture
def requests(dstack: Remote) -> list[Request]:
    """What was asked of the simulated DStack, which answers with no GPUs."""
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
    ],
)
def test_a_path_of_the_address_is_kept(
    dstack: Remote, requests: list[Request], path: str, target: str
) -> None:
    """The method follows the path that the operator gave."""
    assert _reason(_check(dstack.url + path)) is None
    assert requests[0].target == target


def test_a_request_says_what_it_takes_and_tells_no_more(
    dstack: Remote, requests: list[Request]
) -> None:
    """A GET for JSON, not compressed, without a login where none is set."""
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
def test_only_an_answer_that_is_compressed_counts_as_such(
    dstack: Remote, codings: str, reason: Reason | None
) -> None:
    """RFC 9110: a header that names no coding, or the one that changes nothing, is harmless."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        writer.write(http_answer(200, b'{"gpus":[]}', {"Content-Encoding": codings}))

    dstack.dstack.behaviour = behave
    assert _reason(_check(dstack.url)) is reason


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(dstack: Remote, status: int) -> None:
    """A redirect is a failure, and where it points to is not asked."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)
        there = {"Location": f"{dstack.url}/prpc/ListGpus?json&again"}
        writer.write(http_answer(status, b"", there))

    dstack.dstack.behaviour = behave
    assert _reason(_check(dstack.url)) is Reason.HTTP_ERROR
    assert dstack.dstack.calls == 1


def test_nobody_who_listens_is_connection_refused() -> None:
    """A port without a listener."""
    assert _reason(_check(f"http://127.0.0.1:{free_port()}")) is Reason.CONNECTION_REFUSED


def test_a_socket_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """A path without a socket."""
    assert _reason(_check(f"unix:{tmp_path / 'vmm.sock'}")) is Reason.SOCKET_NOT_FOUND


def test_a_socket_without_a_listener_is_connection_refused(tmp_path: Path) -> None:
    """The socket that a killed DStack leaves behind."""
    path = tmp_path / "vmm.sock"
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    assert _reason(_check(f"unix://{path}")) is Reason.CONNECTION_REFUSED


@pytest.fixture
def serve_tls() -> Iterator[Callable[[trustme.LeafCert], str]]:
    """Starts a DStack with a certificate, and gives its address."""
    with ExitStack() as ends:

        def start(certificate: trustme.LeafCert) -> str:
            tls = server_context(certificate)
            return ends.enter_context(in_thread(SimulatedDStack(), tls=tls)).url

        yield start


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
    """A context that trusts our authority, made as DSTACK_CA_FILE makes it."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ssl_context(tmp_path / "ca.pem")


Serve = Callable[[trustme.LeafCert], str]


def test_an_authority_that_nobody_trusts_fails_in_tls(
    authority: trustme.CA, serve_tls: Serve
) -> None:
    """Without DSTACK_CA_FILE, a private authority is not trusted, and the sentence says so."""
    result = _check(serve_tls(authority.issue_cert("127.0.0.1")))
    assert result == CheckFailure(
        Reason.TLS_FAILED, "TLS failed: the certificate's authority is not trusted"
    )
    check_result(result)


def test_an_own_authority_need_not_keep_to_the_form_of_public_ones(tmp_path: Path) -> None:
    """What `openssl req -x509` makes is trusted where it is named, by every Python."""
    ca_file, tls = plain_authority(tmp_path)
    with in_thread(SimulatedDStack(), tls=tls) as remote:
        assert _reason(_check(remote.url, tls=ssl_context(ca_file))) is None


@pytest.mark.parametrize(
    ("host", "other"), [("127.0.0.1", "127.0.0.9"), ("localhost", "dstack.example")]
)
def test_a_certificate_of_another_host_fails_in_tls(
    authority: trustme.CA, serve_tls: Serve, trusting: ssl.SSLContext, host: str, other: str
) -> None:
    """A good certificate of somebody else, and the sentence does not say whose."""
    url = serve_tls(authority.issue_cert(other)).replace("127.0.0.1", host)
    result = _check(url, tls=trusting)
    assert _reason(result) is Reason.TLS_FAILED
    assert isinstance(result, CheckFailure)
    assert "the certificate is for another" in result.message
    check_result(result)


def test_a_certificate_that_has_expired_fails_in_tls(
    authority: trustme.CA, serve_tls: Serve, trusting: ssl.SSLContext
) -> None:
    """An old certificate, and the sentence says that it is old."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    url = serve_tls(authority.issue_cert("127.0.0.1", not_after=yesterday))
    assert _check(url, tls=trusting) == CheckFailure(
        Reason.TLS_FAILED, "TLS failed: the certificate has expired"
    )


def test_a_tls_handshake_that_hangs_times_out_and_leaves_nothing_open() -> None:
    """Checks of a DStack that accepts and says nothing do not use up descriptors."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        source = HttpxDStack(parse_address(url), timeout=0.1)

        async def check_often() -> None:
            assert _reason(await source.list_gpus()) is Reason.TIMED_OUT
            before = _open_descriptors()
            for _ in range(5):
                await source.list_gpus()
            await asyncio.sleep(0.1)
            assert _open_descriptors() <= before

        asyncio.run(check_often())


def test_300_checks_leave_no_descriptor_open(dstack: Remote) -> None:
    """Whatever they meet: good answers, breaks, errors, bodies that are not read to their end."""
    met = [
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
        before = _open_descriptors()
        for number in range(300):
            dstack.dstack.behaviour = met[number % len(met)]
            result = await source.list_gpus()
            assert isinstance(result, (GpuInventory, CheckFailure))
        await asyncio.sleep(0.3)
        return before, _open_descriptors()

    before, after = asyncio.run(check_often())
    assert after <= before + 1  # the server may not have closed its side of the last one


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())
