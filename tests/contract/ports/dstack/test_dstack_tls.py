"""DStack over TLS: which certificates are accepted."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from dstack_backend.adapters.httpx_dstack import HttpxDStack, parse_address, ssl_contexts
from dstack_backend.domain import CheckFailure, CheckResult, FailureCause, Reason
from dstack_backend.testing.contracts import check_result
from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.ports.dstack.descriptors import open_descriptors
from tests.contract.process.certificates import plain_authority, server_context

Tls = Callable[[], ssl.SSLContext]


def _check(url: str, tls: Tls | None = None) -> CheckResult:
    return asyncio.run(HttpxDStack(parse_address(url), tls=tls).list_gpus())


def _reason(result: CheckResult) -> Reason | None:
    return result.reason if isinstance(result, CheckFailure) else None


@pytest.fixture
def serve_tls() -> Iterator[Callable[[trustme.LeafCert], str]]:
    """Start a simulated DStack with a certificate; return its address."""
    with ExitStack() as ends:

        def start(certificate: trustme.LeafCert) -> str:
            tls = server_context(certificate)
            return ends.enter_context(in_thread(SimulatedDStack(), tls=tls)).url

        yield start


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> Tls:
    """A context that trusts the authority, made as for DSTACK_CA_FILE."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ssl_contexts(tmp_path / "ca.pem")


Serve = Callable[[trustme.LeafCert], str]


def test_private_authority_is_not_trusted_by_default(
    authority: trustme.CA, serve_tls: Serve
) -> None:
    """Without DSTACK_CA_FILE the check fails, and the message says why."""
    result = _check(serve_tls(authority.issue_cert("127.0.0.1")))
    assert result == CheckFailure(
        Reason.TLS_FAILED,
        "TLS failed: the certificate's authority is not trusted",
        FailureCause.CERTIFICATE_UNTRUSTED,
    )
    check_result(result)


def test_authority_without_key_usage_is_trusted_from_a_file(tmp_path: Path) -> None:
    """`openssl req -x509` makes such authorities; each version of Python accepts them."""
    ca_file, tls = plain_authority(tmp_path)
    with in_thread(SimulatedDStack(), tls=tls) as remote:
        assert _reason(_check(remote.url, tls=ssl_contexts(ca_file))) is None


def test_changed_file_of_authorities_is_read_again(
    authority: trustme.CA, serve_tls: Serve, tmp_path: Path
) -> None:
    """The next check trusts what the file holds by then; while it holds nothing, the last."""
    url, file = serve_tls(authority.issue_cert("127.0.0.1")), tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    source = HttpxDStack(parse_address(url), tls=ssl_contexts(file))
    assert _reason(asyncio.run(source.list_gpus())) is Reason.TLS_FAILED
    authority.cert_pem.write_to_path(file)
    assert _reason(asyncio.run(source.list_gpus())) is None
    file.write_text("half a certif")
    assert _reason(asyncio.run(source.list_gpus())) is None
    file.unlink()
    assert _reason(asyncio.run(source.list_gpus())) is None
    trustme.CA().cert_pem.write_to_path(file)
    assert _reason(asyncio.run(source.list_gpus())) is Reason.TLS_FAILED


@pytest.mark.parametrize(
    ("host", "other"), [("127.0.0.1", "127.0.0.9"), ("localhost", "dstack.example")]
)
def test_certificate_of_another_host_is_rejected(
    authority: trustme.CA, serve_tls: Serve, trusting: Tls, host: str, other: str
) -> None:
    """The message does not repeat the other name."""
    url = serve_tls(authority.issue_cert(other)).replace("127.0.0.1", host)
    result = _check(url, tls=trusting)
    assert isinstance(result, CheckFailure)
    assert (result.reason, result.cause) == (Reason.TLS_FAILED, FailureCause.CERTIFICATE_WRONG_HOST)
    assert "the certificate is for another" in result.message
    check_result(result)


def test_expired_certificate_is_rejected(
    authority: trustme.CA, serve_tls: Serve, trusting: Tls
) -> None:
    """The message says so."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    url = serve_tls(authority.issue_cert("127.0.0.1", not_after=yesterday))
    assert _check(url, tls=trusting) == CheckFailure(
        Reason.TLS_FAILED,
        "TLS failed: the certificate has expired",
        FailureCause.CERTIFICATE_EXPIRED,
    )


def test_hanging_tls_handshake_times_out_and_leaves_no_descriptor_open() -> None:
    """DStack accepts the connection and sends nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        source = HttpxDStack(parse_address(url), timeout=0.1)

        async def check_often() -> None:
            assert _reason(await source.list_gpus()) is Reason.TIMED_OUT
            before = open_descriptors()
            for _ in range(5):
                await source.list_gpus()
            await asyncio.sleep(0.1)
            assert open_descriptors() <= before

        asyncio.run(check_often())
