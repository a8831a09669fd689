"""The probe of the DStack adapter, step by step, against real servers."""

import asyncio
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime

import pytest
import trustme

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.adapters.httpx_dstack.probe import Handshake, connect, resolve, tls_handshake
from dstack_backend.domain.check import CheckFailure, FailureCause, Reason
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def handshake_with(certificate: trustme.LeafCert, tls: ssl.SSLContext) -> Handshake:
    """Do a handshake with a server that has this certificate."""
    with in_thread(SimulatedDStack(), tls=server_context(certificate)) as remote:
        address = parse_address(remote.url)
        return asyncio.run(tls_handshake(address, "127.0.0.1", tls, 5))


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a client that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context


def test_handshake_returns_expiry_and_names_of_a_trusted_certificate(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """The doctor shows both."""
    end = datetime(2040, 1, 1, tzinfo=UTC)
    found = handshake_with(authority.issue_cert("127.0.0.1", not_after=end), tls)
    assert found.failure is None
    assert found.certificate
    assert (found.certificate.expires, found.certificate.names) == (end, ("127.0.0.1",))


def test_handshake_fails_for_an_expired_certificate_and_returns_its_expiry(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """The second handshake leaves the context as strict as it was."""
    before = (tls.check_hostname, tls.verify_flags)
    found = handshake_with(authority.issue_cert("127.0.0.1", not_after=LONG_AGO), tls)
    assert found.failure
    assert found.failure.reason is Reason.TLS_FAILED
    assert found.failure.cause is FailureCause.CERTIFICATE_EXPIRED
    assert found.certificate
    assert found.certificate.expires == LONG_AGO
    assert (tls.check_hostname, tls.verify_flags) == before


def test_handshake_fails_for_another_host_and_returns_the_names(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """DSTACK_URL may contain one of them."""
    found = handshake_with(authority.issue_cert("dstack.example"), tls)
    assert found.failure
    assert found.failure.cause is FailureCause.CERTIFICATE_WRONG_HOST
    assert found.certificate
    assert found.certificate.names == ("dstack.example",)


def test_handshake_returns_nothing_of_an_untrusted_certificate(authority: trustme.CA) -> None:
    """Its content can be forged."""
    found = handshake_with(authority.issue_cert("127.0.0.1"), ssl.create_default_context())
    assert found.failure
    assert found.failure.cause is FailureCause.CERTIFICATE_UNTRUSTED
    assert found.certificate is None


def test_step_ends_at_its_timeout(tls: ssl.SSLContext) -> None:
    """A handshake that the server never answers is a failure."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = parse_address(f"https://127.0.0.1:{silent.getsockname()[1]}")
        found = asyncio.run(tls_handshake(address, "127.0.0.1", tls, 0.2))
    assert found.failure == CheckFailure(Reason.TIMED_OUT, "no answer within 0.2 s")


def test_resolve_and_connect_send_no_request(dstack: Remote) -> None:
    """A numeric address is its own result; a connection is opened and closed."""
    address = parse_address(dstack.url)
    assert asyncio.run(resolve(address, 5)) == ("127.0.0.1",)
    assert isinstance(asyncio.run(connect(address, "127.0.0.1", 5)), float)
    assert dstack.dstack.calls == 0
