"""The single steps of the doctor's way to DStack, against real servers."""

import asyncio
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime

import pytest
import trustme

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.adapters.httpx_dstack.probe import Handshake, connect, resolve, tls_handshake
from dstack_backend.domain.check import CheckFailure, Reason
from dstack_backend.testing.simulated_dstack import Remote, SimulatedDStack, in_thread
from tests.contract.process.certificates import server_context

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def shaken(certificate: trustme.LeafCert, tls: ssl.SSLContext) -> Handshake:
    """What a handshake with a server of this certificate brings."""
    with in_thread(SimulatedDStack(), tls=server_context(certificate)) as remote:
        address = parse_address(remote.url)
        return asyncio.run(tls_handshake(address, "127.0.0.1", tls, 5))


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A client that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context


def test_a_handshake_gives_the_end_of_a_trusted_certificate(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """And whom it is for."""
    end = datetime(2040, 1, 1, tzinfo=UTC)
    found = shaken(authority.issue_cert("127.0.0.1", not_after=end), tls)
    assert found.failure is None
    assert found.certificate
    assert (found.certificate.expires, found.certificate.names) == (end, ("127.0.0.1",))


def test_an_expired_certificate_is_refused_and_its_end_told_all_the_same(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """The second look leaves the client as strict as it was."""
    before = (tls.check_hostname, tls.verify_flags)
    found = shaken(authority.issue_cert("127.0.0.1", not_after=LONG_AGO), tls)
    assert found.failure
    assert found.failure.reason is Reason.TLS_FAILED
    assert found.certificate
    assert found.certificate.expires == LONG_AGO
    assert (tls.check_hostname, tls.verify_flags) == before


def test_a_certificate_for_another_host_is_refused_and_its_names_told(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    """They are what DSTACK_URL may hold."""
    found = shaken(authority.issue_cert("dstack.example"), tls)
    assert found.failure
    assert found.certificate
    assert found.certificate.names == ("dstack.example",)


def test_of_a_certificate_that_nobody_trusts_nothing_is_told(authority: trustme.CA) -> None:
    """Anybody can write anything into one."""
    found = shaken(authority.issue_cert("127.0.0.1"), ssl.create_default_context())
    assert found.failure
    assert found.certificate is None


def test_a_step_ends_at_its_deadline(tls: ssl.SSLContext) -> None:
    """A handshake that never comes is a failure, not a wait."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = parse_address(f"https://127.0.0.1:{silent.getsockname()[1]}")
        found = asyncio.run(tls_handshake(address, "127.0.0.1", tls, 0.2))
    assert found.failure == CheckFailure(Reason.TIMED_OUT, "no answer within 0.2 s")


def test_looking_up_and_connecting_ask_nothing_of_dstack(dstack: Remote) -> None:
    """Numbers are their own addresses; a connection is opened and closed."""
    address = parse_address(dstack.url)
    assert asyncio.run(resolve(address, 5)) == ("127.0.0.1",)
    assert isinstance(asyncio.run(connect(address, "127.0.0.1", 5)), float)
    assert dstack.dstack.calls == 0
